"""Data of plots: points that a program gives, and what scikit-learn says of predictions."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.live.errors import InvalidDataTypeError, InvalidPlotTypeError
from offbranch.live.formats import file_path


@record
class Looks:
    """What dvc.yaml says of a plot.

    Attributes:
        template: Its template, None for the default one.
        x: Field of the horizontal axis.
        y: Field or fields of the vertical one.
    """

    template: str | None
    x: str
    y: str | tuple[str, ...]
    title: str | None = None
    x_label: str | None = None
    y_label: str | None = None


@record
class Kind:
    """A kind of plot of scikit-learn: how it is computed, and how it looks unless the program says otherwise."""

    compute: Callable[..., Any]
    looks: Looks


def points_of(name: str, data: Any) -> list[dict[str, Any]]:
    """Returns data points as a list of maps: of a data frame, of an array (columns are numbered), or of such a list.

    Raises:
        InvalidDataTypeError: It is something else.
    """
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(data).__mro__}
    if "pandas.DataFrame" in kinds:
        found = data.to_dict(orient="records")
    elif "numpy.ndarray" in kinds:
        if data.ndim not in (1, 2):
            raise InvalidDataTypeError(name, data)
        rows = data.tolist() if data.ndim == 2 else [[value] for value in data.tolist()]
        found = [{str(number): value for number, value in enumerate(row)} for row in rows]
    elif isinstance(data, list | tuple):
        found = list(data)
    else:
        raise InvalidDataTypeError("datapoints", data)
    if not all(isinstance(point, Mapping) for point in found):
        raise InvalidDataTypeError(name, data)
    return [dict(point) for point in found]


def plot_name(name: str) -> str:
    """Returns the file that the data of a plot goes into."""
    return file_path(name if str(name).endswith(".json") else f"{name}.json")


def options_of(looks: Looks) -> dict[str, Any]:
    """Returns what dvc.yaml says of a plot, in the order of DVCLive."""
    y = looks.y if isinstance(looks.y, str) else list(looks.y)
    said = {"template": looks.template, "x": looks.x, "y": y, "title": looks.title}
    said.update(x_label=looks.x_label, y_label=looks.y_label)
    return {name: value for name, value in said.items() if value is not None}


def sklearn_plot(
    kind: str, labels: Any, predictions: Any, *, normalized: bool | None, options: Mapping[str, Any]
) -> tuple[Any, Looks]:
    """Returns the data of a plot of scikit-learn, and how it looks.

    Args:
        kind: One of `KINDS`.
        labels: What is true.
        predictions: Scores, or for a confusion matrix classes.
        normalized: Of a confusion matrix: shares instead of counts.
        options: For the function of scikit-learn.

    Raises:
        InvalidPlotTypeError: There is no such kind.
        OffbranchError: scikit-learn is not installed.
    """
    found = KINDS.get(kind)
    if found is None:
        raise InvalidPlotTypeError(kind, tuple(KINDS))
    if kind != "confusion_matrix":
        return {kind: found.compute(labels, predictions, dict(options))}, found.looks
    template = "confusion_normalized" if normalized else "confusion"
    looks = Looks(**{**_as_dict(found.looks), "template": template})
    return found.compute(labels, predictions, dict(options)), looks


def changed_looks(looks: Looks, **said: str | None) -> Looks:
    """Returns looks with what the program says in place of the defaults."""
    return Looks(**{**_as_dict(looks), **{name: value for name, value in said.items() if value is not None}})


def _as_dict(looks: Looks) -> dict[str, Any]:
    return {name: getattr(looks, name) for name in ("template", "x", "y", "title", "x_label", "y_label")}


def _metrics(function: str) -> Any:
    return load(f"sklearn.metrics:{function}", extra="demo")


def _records(names: Sequence[str], columns: Iterable[Any]) -> list[dict[str, Any]]:
    lists = [column.tolist() if hasattr(column, "tolist") else list(column) for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=False)]


def _roc(labels: Any, predictions: Any, options: dict[str, Any]) -> Any:
    return _records(("fpr", "tpr", "threshold"), _metrics("roc_curve")(labels, predictions, **options))


def _precision_recall(labels: Any, predictions: Any, options: dict[str, Any]) -> Any:
    columns = _metrics("precision_recall_curve")(labels, predictions, **options)
    return _records(("precision", "recall", "threshold"), columns)


def _det(labels: Any, predictions: Any, options: dict[str, Any]) -> Any:
    return _records(("fpr", "fnr", "threshold"), _metrics("det_curve")(labels, predictions, **options))


def _calibration(labels: Any, predictions: Any, options: dict[str, Any]) -> Any:
    compute = load("sklearn.calibration:calibration_curve", extra="demo")
    return _records(("prob_true", "prob_pred"), compute(labels, predictions, **options))


def _confusion(labels: Any, predictions: Any, _: dict[str, Any]) -> Any:
    actuals, predicteds = _listed(labels), _listed(predictions)
    if len(actuals) != len(predicteds):
        raise ValueError(f"{len(actuals)} labels, but {len(predicteds)} predictions")
    pairs = zip(actuals, predicteds, strict=True)
    return [{"actual": str(actual), "predicted": str(predicted)} for actual, predicted in pairs]


def _listed(values: Any) -> list[Any]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def is_finite(value: object) -> bool:
    """Tells whether a value is a number that can be drawn."""
    return isinstance(value, int | float) and math.isfinite(value)


KINDS: Final[Mapping[str, Kind]] = {
    "calibration": Kind(
        compute=_calibration,
        looks=Looks(
            template="simple",
            x="prob_pred",
            y="prob_true",
            title="Calibration Curve",
            x_label="Mean Predicted Probability",
            y_label="Fraction of Positives",
        ),
    ),
    "confusion_matrix": Kind(
        compute=_confusion,
        looks=Looks(
            template="confusion",
            x="actual",
            y="predicted",
            title="Confusion Matrix",
            x_label="True Label",
            y_label="Predicted Label",
        ),
    ),
    "det": Kind(
        compute=_det,
        looks=Looks(
            template="simple",
            x="fpr",
            y="fnr",
            title="Detection error tradeoff (DET)",
            x_label="False Positive Rate",
            y_label="False Negative Rate",
        ),
    ),
    "precision_recall": Kind(
        compute=_precision_recall,
        looks=Looks(
            template="simple",
            x="recall",
            y="precision",
            title="Precision-Recall Curve",
            x_label="Recall",
            y_label="Precision",
        ),
    ),
    "roc": Kind(
        compute=_roc,
        looks=Looks(
            template="simple",
            x="fpr",
            y="tpr",
            title="Receiver operating characteristic (ROC)",
            x_label="False Positive Rate",
            y_label="True Positive Rate",
        ),
    ),
}
