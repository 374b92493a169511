"""Curves in the text of a report: what `plots` draws as lines, as Mermaid charts, which GitHub and GitLab draw from their text.

A chart of Mermaid has one horizontal scale and as many equal steps on it for every line, so lines are taken at such steps;
a line that begins later, or ends earlier, keeps its outermost value there.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from offbranch.base.records import record
from offbranch.views.plot import REVISION, PlotSpec

_AS_LINES: Final = frozenset(("linear", "simple", "smooth"))
_MAX_STEPS: Final = 60
_MAX_LINES: Final = 7
# In the order of colours, and signs that look like them: these charts have no legend.
_COLORS: Final = ("#945dd6", "#13adc7", "#f46837", "#48bb78", "#8b5a2b", "#e5c100", "#e53e3e")
_SIGNS: Final = ("🟣", "🔵", "🟠", "🟢", "🟤", "🟡", "🔴")


@record
class ChartLine:
    """One line.

    Attributes:
        name: Revision, and what tells it apart from the other lines of that.
        points: (x, y), x ascending and each once.
    """

    name: str
    points: tuple[tuple[float, float], ...]


@record
class Chart:
    """One drawing of lines.

    Attributes:
        left_out: How many lines it has no colours for.
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[ChartLine, ...]
    left_out: int = 0


def charts_of(specs: Iterable[PlotSpec]) -> tuple[Chart, ...]:
    """Returns those plots that are lines of numbers."""
    charts = (_chart(spec) for spec in specs if spec.template in _AS_LINES)
    return tuple(chart for chart in charts if chart.lines)


def render_mermaid(chart: Chart) -> str:
    """Returns a fenced block, and a line that says which colour is which."""
    xs = [x for line in chart.lines for x, _ in line.points]
    low, high = min(xs), max(xs)
    steps = min(_MAX_STEPS, max(len(line.points) for line in chart.lines))
    grid = [low + (high - low) * n / (steps - 1) for n in range(steps)] if steps > 1 else [low]
    theme = {"themeVariables": {"xyChart": {"plotColorPalette": ", ".join(_COLORS[: len(chart.lines)])}}}
    text = [
        "```mermaid",
        f"%%{{init: {json.dumps(theme)}}}%%",
        "xychart-beta",
        f"  title {_quoted(chart.title)}",
        f"  x-axis {_quoted(chart.x_label)} {_number(low)} --> {_number(high)}",
        f"  y-axis {_quoted(chart.y_label)}",
        *(f"  line [{', '.join(_number(value_at(line.points, x)) for x in grid)}]" for line in chart.lines),
        "```",
    ]
    return "\n".join(text)


def legend_of(chart: Chart) -> tuple[tuple[str, str], ...]:
    """Returns (sign, name) of each line."""
    return tuple((sign, line.name) for sign, line in zip(_SIGNS, chart.lines, strict=False))


def value_at(points: Sequence[tuple[float, float]], x: float) -> float:
    """Returns the value of a line at a place, on the straight way between the points beside it."""
    right = bisect_left(points, (x, float("-inf")))
    if right == 0:
        return points[0][1]
    if right == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[right - 1], points[right]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def _chart(spec: PlotSpec) -> Chart:
    found: dict[str, list[tuple[float, float]]] = {}
    for point in spec.points:
        x, y = _finite(point.get(spec.x)), _finite(point.get(spec.y))
        if x is not None and y is not None:
            found.setdefault(_name(spec, point), []).append((x, y))
    lines = [ChartLine(name=name, points=_ascending(points)) for name, points in found.items()]
    lines = [line for line in lines if len(line.points) > 1]
    return Chart(
        title=spec.title,
        x_label=spec.x_label,
        y_label=spec.y_label,
        lines=tuple(lines[:_MAX_LINES]),
        left_out=max(0, len(lines) - _MAX_LINES),
    )


def _name(spec: PlotSpec, point: Mapping[str, Any]) -> str:
    rev = str(point.get(REVISION, ""))
    return rev if spec.series is None else f"{rev}: {point.get(spec.series)}"


def _ascending(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    return tuple(sorted(dict(points).items()))  # of several values at one place the last one counts


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < float("inf") else None


def _number(value: float) -> str:
    text = f"{value:.6g}"
    if "e" in text:  # Mermaid reads no exponents
        text = f"{float(text):.15f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _quoted(text: str) -> str:
    """Returns a text of a chart; what would end it, or the block, is replaced, and none is empty."""
    return '"' + (" ".join(text.replace('"', "'").replace("`", "'").split()) or "-") + '"'
