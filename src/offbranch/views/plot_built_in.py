"""Our templates of plots: Vega-Lite specifications with anchors for what a plot brings along.

The names, what each means, and the anchors are those of DVC 3, so that a template of one is good for the other
(docs/formats/plots.md).
"""

from collections.abc import Mapping
from typing import Any, Final

DATA: Final = "<DVC_METRIC_DATA>"
_X, _Y = "<DVC_METRIC_X>", "<DVC_METRIC_Y>"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_WITH_DATA: Mapping[str, Any] = {"content": "data"}


def _axis(axis: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"field": f"<DVC_METRIC_{axis}>", "type": kind, "title": f"<DVC_METRIC_{axis}_LABEL>", **more}


def _sheet(**parts: Any) -> dict[str, Any]:
    head = {
        "$schema": _SCHEMA,
        "data": {"values": DATA},
        "title": {"text": "<DVC_METRIC_TITLE>", "anchor": "middle"},
    }
    return {**head, **parts}


def _sized(**parts: Any) -> dict[str, Any]:
    return _sheet(width="<DVC_METRIC_PLOT_WIDTH>", height="<DVC_METRIC_PLOT_HEIGHT>", **parts)


def _simple() -> dict[str, Any]:
    return _sized(
        params=["<DVC_METRIC_ZOOM_AND_PAN>"],
        mark={"type": "line", "point": {"size": 8}, "tooltip": _WITH_DATA},
        encoding={
            "x": _axis("X", "quantitative"),
            "y": _axis("Y", "quantitative", scale={"zero": False}),
            "color": "<DVC_METRIC_COLOR>",
            "strokeDash": "<DVC_METRIC_STROKE_DASH>",
            "tooltip": "<DVC_METRIC_TOOLTIP>",
        },
    )


def _smooth() -> dict[str, Any]:
    y = {"y": _axis("Y", "quantitative", scale={"zero": False})}
    # By `value`, an opacity is left out of the legend, which would be as pale otherwise.
    raw = {"mark": "line", "encoding": {**y, "strokeOpacity": {"value": 0.25}}}
    smoothed = {
        "params": ["<DVC_METRIC_ZOOM_AND_PAN>"],
        "transform": [
            # Names of its own: the transform takes a field for a path, and would give it back under its escaped name.
            {
                "loess": _Y,
                "on": _X,
                "groupby": "<DVC_METRIC_GROUP_BY>",
                "bandwidth": {"signal": "smooth"},
                "as": ["smooth_x", "smooth_y"],
            },
        ],
        "mark": "line",
        "encoding": {
            "x": {**_axis("X", "quantitative"), "field": "smooth_x"},
            "y": {**y["y"], "field": "smooth_y"},
        },
    }
    last_y = {**y["y"], "aggregate": {"argmax": _X}}
    ends = {
        "mark": {"type": "point", "filled": True, "size": 24},
        "encoding": {"x": _axis("X", "quantitative", aggregate="max"), "y": last_y},
    }
    values = {
        "params": [
            {
                "name": "hover",
                "select": {
                    "type": "point", "fields": [_X], "nearest": True, "on": "pointerover", "clear": "pointerout"
                },
            }
        ],
        "transform": [
            {"calculate": "<DVC_METRIC_PIVOT_FIELD>", "as": "line"},
            {"pivot": "line", "op": "mean", "value": _Y, "groupby": [_X]},
        ],
        "mark": {"type": "rule", "stroke": "grey", "tooltip": _WITH_DATA},
        "encoding": {
            "color": {"value": "grey"},
            "strokeDash": {"value": [1, 0]},
            "opacity": {"condition": {"param": "hover", "empty": False, "value": 0.4}, "value": 0},
        },
    }  # fmt: skip
    return _sized(
        params=[{"name": "smooth", "value": 0.001, "bind": {"input": "range", "min": 0.001, "max": 1, "step": 0.001}}],
        encoding={
            "x": _axis("X", "quantitative"),
            "color": "<DVC_METRIC_COLOR>",
            "strokeDash": "<DVC_METRIC_STROKE_DASH>",
        },
        layer=[raw, smoothed, ends, values],
    )


def _matrix(shade: Mapping[str, Any], scale: Mapping[str, Any], text: str, transform: list[Any]) -> dict[str, Any]:
    """Returns a table of counts: how often each x goes with each y."""
    counted = [
        {"aggregate": [{"op": "count", "as": "xy_count"}], "groupby": ["rev", _Y, _X]},
        {"impute": "xy_count", "groupby": "<DVC_METRIC_GROUP_BY_Y>", "key": _X, "value": 0},
        {"impute": "xy_count", "groupby": "<DVC_METRIC_GROUP_BY_X>", "key": _Y, "value": 0},
    ]
    field = str(shade["field"])
    cell = {
        "mark": {"type": "rect"},
        "encoding": {
            "color": {**shade, "type": "quantitative", "title": "", "scale": dict(scale)},
            "tooltip": [
                {"field": _X, "type": "nominal"},
                {"field": _Y, "type": "nominal"},
                {"field": field, "type": "quantitative", "format": text},
            ],
        },
    }
    number = {
        "transform": [{"filter": "showValues"}],
        "mark": {"type": "text", "tooltip": False},
        "encoding": {
            "text": {"field": field, "type": "quantitative", "format": text},
            "color": {"condition": {"test": "datum.shade > 0.5", "value": "white"}, "value": "black"},
        },
    }
    return _sheet(
        params=[{"name": "showValues", "value": True, "bind": {"input": "checkbox"}}],
        facet={"column": {"field": "rev", "sort": []}, "row": "<DVC_METRIC_ROW>"},
        spec={
            "width": "<DVC_METRIC_PLOT_WIDTH>",
            "height": "<DVC_METRIC_PLOT_HEIGHT>",
            "transform": [*counted, *transform],
            "encoding": {
                "x": _axis("X", "nominal", sort="ascending"),
                "y": _axis("Y", "nominal", sort="ascending"),
            },
            "layer": [cell, number],
        },
    )


def _confusion() -> dict[str, Any]:
    return _matrix(
        {"field": "xy_count"},
        {"domainMin": 0, "nice": True},
        "d",
        [
            {"joinaggregate": [{"op": "max", "field": "xy_count", "as": "most"}], "groupby": []},
            {"calculate": "datum.xy_count / datum.most", "as": "shade"},
        ],
    )


def _confusion_normalized() -> dict[str, Any]:
    return _matrix(
        {"field": "share"},
        {"domain": [0, 1]},
        ".2f",
        [
            {"joinaggregate": [{"op": "sum", "field": "xy_count", "as": "in_row"}], "groupby": [_Y]},
            {"calculate": "datum.in_row > 0 ? datum.xy_count / datum.in_row : 0", "as": "share"},
            {"calculate": "datum.share", "as": "shade"},
        ],
    )


def _scatter() -> dict[str, Any]:
    return _sized(
        params=["<DVC_METRIC_ZOOM_AND_PAN>"],
        mark={"type": "point", "tooltip": _WITH_DATA},
        encoding={
            "x": _axis("X", "quantitative"),
            "y": _axis("Y", "quantitative"),
            "color": "<DVC_METRIC_COLOR>",
            "shape": "<DVC_METRIC_SHAPE>",
            "tooltip": "<DVC_METRIC_TOOLTIP>",
        },
    )


def _scatter_jitter() -> dict[str, Any]:
    return _sized(
        transform=[{"calculate": "random()", "as": "jitter_x"}, {"calculate": "random()", "as": "jitter_y"}],
        mark={"type": "point", "tooltip": _WITH_DATA},
        encoding={
            "x": _axis("X", "nominal"),
            "y": _axis("Y", "nominal"),
            "xOffset": {"field": "jitter_x", "type": "quantitative"},
            "yOffset": {"field": "jitter_y", "type": "quantitative"},
            "color": "<DVC_METRIC_COLOR>",
            "shape": "<DVC_METRIC_SHAPE>",
            "tooltip": "<DVC_METRIC_TOOLTIP>",
        },
    )


def _bar_horizontal(**sort: Any) -> dict[str, Any]:
    return _sized(
        mark={"type": "bar", "tooltip": _WITH_DATA},
        encoding={
            "x": _axis("X", "quantitative"),
            "y": _axis("Y", "nominal", **sort),
            "yOffset": {"field": "rev", "type": "nominal", "sort": []},
            "color": "<DVC_METRIC_COLOR>",
            "column": "<DVC_METRIC_COLUMN>",
            "tooltip": "<DVC_METRIC_TOOLTIP>",
        },
    )


BUILT_IN: Mapping[str, Any] = {
    "simple": _simple(),
    "linear": _smooth(),
    "confusion": _confusion(),
    "confusion_normalized": _confusion_normalized(),
    "scatter": _scatter(),
    "scatter_jitter": _scatter_jitter(),
    "smooth": _smooth(),
    "bar_horizontal_sorted": _bar_horizontal(sort="-x"),
    "bar_horizontal": _bar_horizontal(),
}
