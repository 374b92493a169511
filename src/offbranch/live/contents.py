"""What `Live` logs beside a metric: several of them, parameters, images, plots, artifacts, the load of the machine.

These are its methods of these names. Whatever they need is loaded when it is first used.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from offbranch.base.plugins import load
from offbranch.live.artifacts import Artifact
from offbranch.live.begin import Begun
from offbranch.live.errors import InvalidDataTypeError
from offbranch.live.outlet import Outlet


class Logging(Protocol):
    """What these methods need of a `Live`."""

    _begun: Begun
    _outlet: Outlet
    _is_inert: bool
    _monitor: Any

    def log_metric(self, name: str, val: int | float | str, timestamp: bool = False, plot: bool = True) -> None:
        """See `Live.log_metric`."""
        ...

    def log_params(self, params: Any) -> None:
        """See below."""
        ...


def log_metrics(
    self: Logging, metrics: Mapping[str, int | float | str], timestamp: bool = False, plot: bool = True
) -> None:
    """Logs several metrics at the present step: see `log_metric`."""
    for name, value in metrics.items():
        self.log_metric(name, value, timestamp=timestamp, plot=plot)


def log_param(self: Logging, name: str, val: Any) -> None:
    """Logs a parameter.

    Args:
        name: Of the parameter.
        val: What YAML can represent: a scalar, a list, a map; a NumPy scalar or array becomes that.

    Raises:
        InvalidParameterTypeError: It cannot be represented.
    """
    self.log_params({name: val})


def log_params(self: Logging, params: Any) -> None:
    """Logs several parameters: a map, or a namespace such as that of argparse. See `log_param`."""
    if self._is_inert:
        return
    self._outlet.write_params(load("offbranch.live.params:plain_parameters")(params))


def log_image(self: Logging, name: str, val: Any) -> None:
    """Logs an image, in place of an earlier one of this name.

    Args:
        name: With the extension .jpg, .jpeg, .gif or .png; without one it takes that of the file.
        val: A NumPy array, a figure of matplotlib, an image of Pillow, or the path of a file.

    Raises:
        InvalidImageNameError: It has another extension.
        InvalidDataTypeError: It is no image.
    """
    if self._is_inert:
        return
    path = self._outlet.file("plots", "images", load("offbranch.live.images:image_name")(name, val))
    with self._outlet.faults.during(f"write '{path}'"):
        load("offbranch.live.images:write_image")(path, val, self._outlet.faults)


def log_plot(
    self: Logging,
    name: str,
    datapoints: Any,
    x: str,
    y: str | Sequence[str],
    template: str | None = "linear",
    title: str | None = None,
    x_label: str | None = None,
    y_label: str | None = None,
) -> None:
    """Logs data of a plot of your own.

    Args:
        name: Of the plot.
        datapoints: A list of maps, a data frame of pandas, or a NumPy array (its columns are `0`, `1`, …).
        x: Field of the horizontal axis.
        y: Field or fields of the vertical one.
        template: How it is drawn: see `ob plots templates`.
        title: Above it. `x_label` and `y_label` are at its axes.

    Raises:
        InvalidDataTypeError: The data is something else.
    """
    if self._is_inert:
        return
    points = load("offbranch.live.plots:points_of")(name, datapoints)
    fields = tuple(map(str, y)) if isinstance(y, list | tuple) else str(y)
    looks = load("offbranch.live.plots:Looks")(
        template=template, x=str(x), y=fields, title=title, x_label=x_label, y_label=y_label
    )
    self._outlet.write_plot("custom", name, points, looks)


def log_sklearn_plot(
    self: Logging,
    kind: Literal["calibration", "confusion_matrix", "det", "precision_recall", "roc"],
    labels: Any,
    predictions: Any,
    name: str | None = None,
    title: str | None = None,
    x_label: str | None = None,
    y_label: str | None = None,
    normalized: bool | None = None,
    **kwargs: Any,
) -> None:
    """Logs what scikit-learn says of predictions.

    Args:
        kind: Which plot.
        labels: What is true.
        predictions: Scores; for a confusion matrix, classes.
        name: Of the plot, by default its kind.
        title: Above it. `x_label` and `y_label` are at its axes.
        normalized: Of a confusion matrix: shares instead of counts.
        **kwargs: For the function of scikit-learn.

    Raises:
        InvalidPlotTypeError: There is no such kind.
    """
    if self._is_inert:
        return
    data, looks = load("offbranch.live.plots:sklearn_plot")(
        kind, labels, predictions, normalized=normalized, options=kwargs
    )
    looks = load("offbranch.live.plots:changed_looks")(looks, title=title, x_label=x_label, y_label=y_label)
    self._outlet.write_plot("sklearn", name or kind, data, looks)


def log_artifact(
    self: Logging,
    path: str | os.PathLike[str],
    type: str | None = None,
    name: str | None = None,
    desc: str | None = None,
    labels: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
    copy: bool = False,
    cache: bool = True,
) -> None:
    """Logs a file or directory, such as a model.

    Args:
        path: Where it is.
        type: What it is, such as `model`. With it, or one of the next four, it gets an entry in dvc.yaml.
        name: Of the entry, by default that of the file without its extension.
        desc: Of the entry, likewise `labels` and `meta`.
        copy: Copy it below `dir` first.
        cache: Put it into the cache, as `ob add` does, unless it is an output of the pipeline.

    Raises:
        InvalidDataTypeError: The path is none.
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidDataTypeError(path, path)
    if self._is_inert:
        return
    artifact = Artifact(path=os.fspath(path), kind=type, name=name, desc=desc, labels=labels, meta=meta)
    load("offbranch.live.finish:log_artifact")(self._begun, artifact, copies=copy, caches=cache)


def monitor_system(
    self: Logging,
    interval: float = 0.05,
    num_samples: int = 20,
    directories_to_monitor: Mapping[str, str] | None = None,
) -> None:
    """Logs, from now on, the load of processors, memory, disks and GPUs: the mean of some samples at a time.

    Args:
        interval: Seconds between samples, at most 0.1.
        num_samples: How many make one value, 1 to 30.
        directories_to_monitor: Name -> directory of the file systems that are looked at.
    """
    if self._is_inert:
        return
    if self._monitor is not None:
        self._monitor.stop()

    def log(name: str, value: float, changes: bool) -> None:
        self.log_metric(name, value, timestamp=True, plot=changes)

    self._monitor = load("offbranch.live.monitor:Monitor")(
        log,
        self._outlet.faults,
        interval_s=interval,
        n_samples=num_samples,
        directories={"main": "/"} if directories_to_monitor is None else directories_to_monitor,
    )
