"""Curves and clouds of points in characters, by plotille (docs/decisions/0025-plots-in-the-terminal.md)."""

from collections.abc import Iterable, Sequence

from plotille import Figure

from offbranch.base.records import record

_COLORS = ("magenta", "cyan", "yellow", "green", "blue", "red", "white")
# The first line has none; 33 lines can be told apart without colours.
_MARKERS: tuple[str, ...] = ("", *"xo+*#@%&=abcdefghijklmnpqrstuvwyz")
# More points than that are not seen in a terminal, and take seconds.
_MOST_POINTS = 4000
_BESIDE = 24  # what the axis and its numbers take


@record
class Curve:
    """One line.

    Attributes:
        label: What it is called.
        xs: Ascending or not.
        ys: As many.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float]


@record
class Frame:
    """What is around curves.

    Attributes:
        x_label: Name of the horizontal axis.
        y_label: Name of the vertical axis.
        width: Characters in all.
        height: Lines of the drawing itself.
    """

    x_label: str
    y_label: str
    width: int
    height: int


def draw_curves(curves: Sequence[Curve], frame: Frame, *, color: bool, is_cloud: bool) -> str:
    """Returns the drawing, several lines of text.

    Args:
        curves: What to draw; each has a point.
        frame: What is around it.
        color: Tell curves apart by colours, otherwise by marks.
        is_cloud: Points that no line joins.
    """
    figure = Figure()
    figure.width = max(20, (frame.width - _BESIDE) // 10 * 10)
    figure.height = frame.height
    figure.color_mode = "names"
    figure.with_colors = color
    figure.origin = False
    figure.x_label, figure.y_label = frame.x_label, frame.y_label
    figure.register_label_formatter(float, _number)
    figure.register_label_formatter(int, _number)
    figure.set_x_limits(*_limits([x for curve in curves for x in curve.xs]))
    figure.set_y_limits(*_limits([y for curve in curves for y in curve.ys]))
    for n, curve in enumerate(curves):
        marker = _mark(n, color=color) or None
        if len(curve.xs) == 1 and marker is None:
            marker = "•"  # one dot of the drawing is hardly seen
        draw = figure.scatter if is_cloud or len(curve.xs) == 1 else figure.plot
        xs, ys = _seen(curve, is_cloud=is_cloud)
        draw(xs, ys, lc=_COLORS[n % len(_COLORS)] if color else None, marker=marker)
    return "\n".join(line.rstrip(" \u2800") for line in figure.show().splitlines())


def legend(labels: Sequence[str], *, color: bool) -> tuple[tuple[str, str | None, str], ...]:
    """Returns for each curve its mark, its colour (None without colours) and its label."""
    return tuple(
        (
            f"⠤{_mark(n, color=color) or '⠤'}",
            _COLORS[n % len(_COLORS)] if color else None,
            label,
        )
        for n, label in enumerate(labels)
    )


def _mark(n: int, *, color: bool) -> str:
    """Returns what tells a line from others: with colours only where those begin anew."""
    return _MARKERS[(n // len(_COLORS) if color else n) % len(_MARKERS)]


def _seen(curve: Curve, *, is_cloud: bool) -> tuple[list[float], list[float]]:
    """Returns the points that make the same drawing: of each short part of a line its ends, its lowest and its highest."""
    xs, ys = list(curve.xs), list(curve.ys)
    if len(xs) <= _MOST_POINTS:
        return xs, ys
    if is_cloud:
        (left, right), (low, high) = _limits(xs), _limits(ys)
        across, up = 1000 / (right - left), 1000 / (high - low)
        places = {
            (int((x - left) * across), int((y - low) * up)): n for n, (x, y) in enumerate(zip(xs, ys, strict=True))
        }
        kept: Iterable[int] = places.values()
    else:
        step = -(-len(xs) * 4 // _MOST_POINTS)
        parts = [range(start, min(start + step, len(xs))) for start in range(0, len(xs), step)]
        kept = (
            n
            for part in parts
            for n in sorted({part[0], min(part, key=ys.__getitem__), max(part, key=ys.__getitem__), part[-1]})
        )
    chosen = list(kept)
    return [xs[n] for n in chosen], [ys[n] for n in chosen]


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low == high:
        margin = abs(low) * 0.1 or 1.0
        return low - margin, high + margin
    return low, high


def _number(val: float, chars: int, delta: float, left: bool = False) -> str:
    del delta
    text = f"{val:.4g}"
    return text[:chars].ljust(chars) if left else text[:chars].rjust(chars)
