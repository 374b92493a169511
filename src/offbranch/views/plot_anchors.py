"""A template and a `PlotSpec` -> a Vega-Lite specification: the anchors of docs/formats/plots.md, filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.views.plot import REVISION, PlotSpec

COLORS = ("#945dd6", "#13adc7", "#f46837", "#48bb78", "#4299e1", "#ed8936", "#f56565")
_DASHES = ([1, 0], [8, 8], [8, 4], [4, 4], [4, 2], [2, 1], [1, 1])
_SHAPES = ("circle", "square", "triangle", "diamond")
_LEGEND = {"symbolFillColor": "transparent", "symbolStrokeColor": "grey"}
_SIZE = 300
# What belongs to the data of a plot rather than to its form: left in place by `--split`.
_SPLIT = ("COLOR", "ZOOM_AND_PAN", "PLOT_HEIGHT", "PLOT_WIDTH", "TOOLTIP", "STROKE_DASH", "SHAPE")  # fmt: skip
_ALWAYS_SPLIT = ("TITLE", "X_LABEL", "Y_LABEL", "DATA")


def fill(template: Any, spec: PlotSpec) -> dict[str, Any]:
    """Returns the specification of a plot."""
    filled: dict[str, Any] = _filled(template, _values(spec))
    return filled


def split(template: Any, spec: PlotSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the specification with the anchors of its data left in place, and what belongs there."""
    values = _values(spec)
    used = _texts(template)
    # Without several lines there is nothing to tell them apart by: the anchor is gone, as with DVC.
    apart = [name for name in _SPLIT if _anchor(name) in used and values[_anchor(name)] != {}]
    names = [_anchor(name) for name in (*apart, *_ALWAYS_SPLIT)]
    form: dict[str, Any] = _filled(template, {key: value for key, value in values.items() if key not in names})
    return form, {name: values[name] for name in names}


def _anchor(name: str) -> str:
    return f"<DVC_METRIC_{name}>"


def _values(spec: PlotSpec) -> dict[str, Any]:
    x, y = _escaped(spec.x), _escaped(spec.y)
    series = [] if spec.series is None else [spec.series]
    facet = {} if spec.series is None else {"field": spec.series, "sort": []}
    # Vega-Lite makes an expression of a tooltip, which quotes in a name would end (6.4).
    axes = (_escaped(field) for field in (spec.x, spec.y) if '"' not in field)
    tooltip = [{"field": field} for field in (REVISION, *axes, *series)]
    path = "".join(f" + '::' + {_member(field)}" for field in series)
    values = {
        "DATA": list(spec.points),
        "TITLE": spec.title,
        "X": x,
        "Y": y,
        "X_LABEL": spec.x_label,
        "Y_LABEL": spec.y_label,
        "COLOR": {
            "field": REVISION,
            "scale": {"domain": list(spec.revisions), "range": _cycle(COLORS, len(spec.revisions))},
        },
        "STROKE_DASH": _by_series(spec, _DASHES),
        "SHAPE": _by_series(spec, _SHAPES),
        "ROW": facet,
        "COLUMN": facet,
        "GROUP_BY": [REVISION, *series],
        "GROUP_BY_X": [REVISION, *series, x],
        "GROUP_BY_Y": [REVISION, *series, y],
        "PIVOT_FIELD": f"datum.{REVISION}{path}",
        "TOOLTIP": tooltip,
        "PLOT_WIDTH": _SIZE,
        "PLOT_HEIGHT": _SIZE,
        "ZOOM_AND_PAN": {"name": "grid", "select": "interval", "bind": "scales"},
    }
    return {_anchor(name): value for name, value in values.items()}


def _by_series(spec: PlotSpec, marks: Sequence[Any]) -> dict[str, Any]:
    names = list(spec.series_names)
    if not names:
        return {}
    return {"field": spec.series, "scale": {"domain": names, "range": _cycle(marks, len(names))}, "legend": _LEGEND}


def _cycle(values: Sequence[Any], count: int) -> list[Any]:
    return [values[n % len(values)] for n in range(count)]


def _member(field: str) -> str:
    return f"datum.{field}" if field.isidentifier() else f"datum['{field}']"


def _escaped(field: str) -> str:
    """Returns a field so that Vega does not take it for a path."""
    return "".join(f"\\{char}" if char in ".[]\"'" else char for char in field)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if not isinstance(value, str) or "<DVC_METRIC_" not in value:
        return value
    if value in values:
        return values[value]
    for anchor, text in values.items():
        if anchor in value and isinstance(text, str | int):
            value = value.replace(anchor, str(text))
    return value


def _texts(value: Any) -> frozenset[str]:
    if isinstance(value, dict):
        return frozenset().union(*(_texts(each) for each in value.values()))
    if isinstance(value, list):
        return frozenset().union(*(_texts(each) for each in value))
    return frozenset((value,)) if isinstance(value, str) else frozenset()
