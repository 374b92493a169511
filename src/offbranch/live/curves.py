"""Curves of metrics: read from their tables, thinned, drawn as SVG."""

import html
import math
import os

from offbranch.base.records import record

_WIDTH, _HEIGHT = 360, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 26, 24
# As many as there are pixels.
MOST_POINTS = 300
# The end of a table that a report reads: a page is made anew every few seconds.
_MOST_BYTES = 4 << 20


@record
class Curve:
    """A metric over steps.

    Attributes:
        name: With all of its parts.
        points: (step, value), in the order they were logged; at most some hundred, the first and the last among them.
    """

    name: str
    points: tuple[tuple[float, float], ...]


def curves_below(directory: str) -> list[Curve]:
    """Returns the curves of the metrics below the directory of a Live, by name; those without a number are left out."""
    top = os.path.join(directory, "plots", "metrics")
    found = []
    for place, _, files in os.walk(top):
        for name in (name for name in files if name.endswith(".tsv")):
            path = os.path.join(place, name)
            points = read_points(path)
            if points:
                shown = os.path.relpath(path, top).removesuffix(".tsv").replace(os.sep, "/")
                found.append(Curve(name=shown, points=thinned(points)))
    return sorted(found, key=lambda curve: curve.name)


def read_points(path: str) -> list[tuple[float, float]]:
    """Returns steps and values of a table; of a very long one the end."""
    try:
        with open(path, "rb") as file:
            first = file.readline()
            size = file.seek(0, os.SEEK_END)
            start = max(len(first), size - _MOST_BYTES)
            file.seek(start)
            lines = file.read().split(b"\n")[1 if start > len(first) else 0 :]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split(b"\t")
        try:
            point = float(fields[-2]), float(fields[-1])
        except (IndexError, ValueError):
            continue
        if math.isfinite(point[0]) and math.isfinite(point[1]):
            found.append(point)
    return found


def thinned(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Returns at most some hundred points: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(points) <= MOST_POINTS:
        return tuple(points)
    size = math.ceil(len(points) / (MOST_POINTS // 2 - 1))
    chosen = {0, len(points) - 1}
    for start in range(0, len(points), size):
        stretch = range(start, min(start + size, len(points)))
        chosen.add(min(stretch, key=lambda index: points[index][1]))
        chosen.add(max(stretch, key=lambda index: points[index][1]))
    return tuple(points[index] for index in sorted(chosen))


def svg_of(curve: Curve) -> str:
    """Returns a curve as SVG, with the ends of both axes."""
    xs, ys = [x for x, _ in curve.points], [y for _, y in curve.points]
    (x_low, x_high), (y_low, y_high) = _range(xs), _range(ys)

    def place(point: tuple[float, float]) -> str:
        x = _LEFT + (point[0] - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - (point[1] - y_low) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{x:.1f},{y:.1f}"

    line = " ".join(place(point) for point in curve.points)
    dot = place(curve.points[-1]).split(",")
    bottom, left = _HEIGHT - _BOTTOM, _LEFT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="system-ui,sans-serif" font-size="11" fill="currentColor">'
        f'<text x="{_WIDTH / 2}" y="16" text-anchor="middle" font-size="13">{html.escape(curve.name)}</text>'
        f'<path d="M{left} {_TOP}V{bottom}H{_WIDTH - _RIGHT}" fill="none" stroke="#999"/>'
        f'<text x="{left - 4}" y="{bottom}" text-anchor="end">{y_low:.4g}</text>'
        f'<text x="{left - 4}" y="{_TOP + 8}" text-anchor="end">{y_high:.4g}</text>'
        f'<text x="{left}" y="{_HEIGHT - 8}">{x_low:.6g}</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 8}" text-anchor="end">{x_high:.6g}</text>'
        f'<polyline points="{line}" fill="none" stroke="#4c78a8" stroke-width="1.5"/>'
        f'<circle cx="{dot[0]}" cy="{dot[1]}" r="2.5" fill="#4c78a8"/></svg>'
    )


def _range(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low > 0 and math.isfinite(high - low):
        return low, high
    return low - 0.5, low + 0.5 if abs(low) < 2**52 else low + abs(low) / 2**50
