"""`Live`: the logger that a training program opens, with the names and files of DVCLive 3.

A fault of the machine never comes out of it: it is one warning, and training goes on. A call that makes no sense raises one of
`live/errors.py`. Methods may be called from any thread, and in forked children. In distributed training the process of rank 0
writes; the others have a `Live` that does nothing.
"""

import os
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

from offbranch.base.plugins import load
from offbranch.live.artifacts import Artifact
from offbranch.live.begin import Begun, Settings, begin, begin_guest
from offbranch.live.errors import InvalidDataTypeError
from offbranch.live.finish import failure_of, finish
from offbranch.live.formats import field, put, read_json
from offbranch.live.registry import ended, enter
from offbranch.live.table import Table, cut_repeated, open_table
from offbranch.live.values import metric_value


class Live:
    """Logs metrics, parameters, images, plots and artifacts of a training program.

    Attributes:
        step: Number of the step that is being logged, from 0; may be set.
        summary: Newest value of each metric, levels for names with `/`; what is put into it goes into metrics.json.
    """

    def __init__(
        self,
        dir: str | os.PathLike[str] = "dvclive",
        resume: bool = False,
        report: Literal["md", "notebook", "html", "auto"] | None = None,
        save_dvc_exp: bool = True,
        dvcyaml: str | os.PathLike[str] | bool | None = "dvc.yaml",
        cache_images: bool = False,
        exp_name: str | None = None,
        exp_message: str | None = None,
        monitor_system: bool = False,
        *,
        checkpoint: bool | None = None,
    ) -> None:
        """Opens a directory; what an earlier program logged there is removed, unless this one resumes it.

        Args:
            dir: Where the files go, as seen from the current directory.
            resume: Go on from what is there: the step after the last one. DVCLIVE_RESUME does the same.
            report: `html`, `md`, `notebook` or `auto`; None: no report.
            save_dvc_exp: At the end, save an experiment, if the program does not run as one already.
            dvcyaml: The dvc.yaml that is told of the files; None or False: none is.
            cache_images: At the end, put the images into the cache instead of into Git.
            exp_name: Name of the experiment; a new one is made up if it is None or taken.
            exp_message: Message of its commit.
            monitor_system: Log the load of processors, memory, disks and GPUs, too.
            checkpoint: In an experiment run of `ob`: ask for a checkpoint at each step (True), at none (False), or as the run
                is set to (None): by default as often as costs at most 2 % of the time.

        Raises:
            InvalidReportModeError: `report` is something else.
            InvalidDvcyamlError: `dvcyaml` has another name than dvc.yaml.
        """
        settings = Settings(
            directory=os.fspath(dir),
            resumes=resume,
            report=report,
            saves=save_dvc_exp,
            dvcyaml=dvcyaml,
            caches_images=cache_images,
            exp_name=exp_name,
            exp_message=exp_message,
            checkpoint=checkpoint,
        )
        self._take(begin(settings))
        if monitor_system:
            self.monitor_system()

    def _take(self, begun: Begun) -> None:
        self._begun = begun
        self._outlet = begun.outlet
        self._writer = begun.outlet.writer
        self._is_inert = begun.is_inert
        self._step = begun.step
        self._is_ahead = begun.repeats_from is not None and begun.step is not None  # its step may not come
        self._is_within = False
        self._saved: str | None = None
        self._monitor: Any = None
        if not begun.is_inert:
            enter(self)

    # Where things are

    @property
    def dir(self) -> str:
        """Directory of the files, as it was given."""
        return self._begun.settings.directory

    @property
    def params_file(self) -> str:
        """Path of the file of parameters."""
        return self._shown("params.yaml")

    @property
    def metrics_file(self) -> str:
        """Path of the file of metrics."""
        return self._shown("metrics.json")

    @property
    def dvc_file(self) -> str | None:
        """Path of the dvc.yaml that is written, None if none is."""
        return self._begun.dvcyaml

    @property
    def plots_dir(self) -> str:
        """Directory of the data of plots and the images."""
        return self._shown("plots")

    @property
    def artifacts_dir(self) -> str:
        """Directory of copies of artifacts."""
        return self._shown("artifacts")

    @property
    def report_file(self) -> str | None:
        """Path of the report, None if none is written."""
        report = self._outlet.report
        return None if report in (None, "notebook") else self._shown(f"report.{report}")

    @property
    def summary(self) -> dict[str, Any]:
        """Newest value of each metric; what is put into it goes into metrics.json."""
        return self._outlet.summary

    @summary.setter
    def summary(self, value: dict[str, Any]) -> None:
        self._outlet.summary = value

    @property
    def step(self) -> int:
        """Number of the step that is being logged."""
        return self._step or 0

    @step.setter
    def step(self, value: int) -> None:
        self._step = value
        self._is_ahead = False

    # Logging

    def log_metric(self, name: str, val: int | float | str, timestamp: bool = False, plot: bool = True) -> None:
        """Logs a value of a metric at the present step.

        It is on disk after half a second at the latest, usually at once.

        Args:
            name: Of the metric; with `/` for levels.
            val: A number, text, or a NumPy scalar or tensor of one element.
            timestamp: Note the time too, in milliseconds since the epoch.
            plot: Add it to the table of the metric; otherwise only the newest value is kept.

        Raises:
            InvalidDataTypeError: It is something else.
        """
        if self._is_inert:
            return
        kind = type(val)
        text: Any = val
        value: Any = val
        if kind is not float and kind is not int:
            text, value = metric_value(name, val)
            text = field(text)
        elif val - val:  # type: ignore[operator]
            text = value = str(val)  # not a number, or infinite
        if not isinstance(name, str):
            raise InvalidDataTypeError("name", name)
        writer = self._writer
        if "/" in name:
            put(self._outlet.summary, name, value)
        else:
            self._outlet.summary[name] = value
        if not plot:
            if not writer.is_awake:
                writer.arouse()
            return
        table = writer.tables.get(name) or self._table(name, timestamp)
        if not table.is_cut:
            self._cut(table)
        row = f"{self._step or 0}\t{text}\n"
        if not table.plain:
            row = self._timed(table, row)
        if writer.is_deferring and writer.is_awake:
            table.rows.append(row)
        else:
            writer.write(table, row)

    def log_metrics(self, metrics: Mapping[str, int | float | str], timestamp: bool = False, plot: bool = True) -> None:
        """Logs several metrics at the present step: see `log_metric`."""
        for name, value in metrics.items():
            self.log_metric(name, value, timestamp=timestamp, plot=plot)

    def log_param(self, name: str, val: Any) -> None:
        """Logs a parameter.

        Args:
            name: Of the parameter.
            val: What YAML can represent: a scalar, a list, a map; a NumPy scalar or array becomes that.

        Raises:
            InvalidParameterTypeError: It cannot be represented.
        """
        self.log_params({name: val})

    def log_params(self, params: Any) -> None:
        """Logs several parameters: a map, or a namespace such as that of argparse. See `log_param`."""
        if self._is_inert:
            return
        self._outlet.params.update(load("offbranch.live.params:plain_parameters")(params))
        self._outlet.write_params()

    def log_image(self, name: str, val: Any) -> None:
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
            load("offbranch.live.images:write_image")(path, val)

    def log_plot(
        self,
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
        fields = y if isinstance(y, str) else tuple(y)
        looks = load("offbranch.live.plots:Looks")(
            template=template, x=x, y=fields, title=title, x_label=x_label, y_label=y_label
        )
        self._outlet.write_plot("custom", name, points, looks)

    def log_sklearn_plot(
        self,
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
        self,
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
        self,
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

    # Steps

    def next_step(self, *, checkpoint: bool = True) -> None:
        """Ends a step: its values are on disk, a checkpoint is asked for if one is due (`checkpoint`), and the next begins."""
        self._step, self._is_ahead = self._step or 0, False
        if not self._is_inert:
            self._outlet.step(self._step)
            if checkpoint:
                self.offer_checkpoint()
        self._step, self._is_ahead = self._step + 1, True

    def offer_checkpoint(self) -> None:
        """Asks for a checkpoint, if one is due: for who ends a step without, and has saved the model now."""
        asking = self._begun.asking
        if asking is not None and not self._outlet.is_guest and asking.is_due(time.monotonic()):
            self._outlet.flush()
            with self._outlet.faults.during("ask for a checkpoint"):
                asking.ask((self._step or 0) - self._is_ahead)

    def make_summary(self) -> None:
        """Writes metrics.json."""
        if not self._is_inert:
            if self._step is not None:
                self._outlet.summary["step"] = self._step
            self._outlet.write_summary()

    def make_dvcyaml(self) -> None:
        """Tells dvc.yaml of the files."""
        if not self._is_inert:
            self._outlet.write_dvcyaml(anyway=True)

    def make_report(self) -> None:
        """Makes the report."""
        if not self._is_inert:
            self._outlet.write_report()

    def sync(self) -> None:
        """Writes everything that `next_step` writes, without ending the step."""
        self.flush()
        self.make_summary()
        self.make_dvcyaml()
        self.make_report()

    def read_latest(self) -> dict[str, Any]:
        """Returns what is in metrics.json."""
        return read_json(self._outlet.file("metrics.json"))

    def read_step(self) -> int:
        """Returns the last step that is in metrics.json, 0 if there is none."""
        found = self.read_latest().get("step", 0)
        return found if isinstance(found, int) else 0

    # The end

    def __enter__(self) -> "Live":
        self._is_within = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._is_within = False
        self._finish(failure=failure_of(kind, error))

    def end(self) -> None:
        """Ends logging: everything is written, and an experiment saved if the program does not run as one.

        Inside of `with` it does nothing: leaving that does it. After an exception nothing is saved, only written.
        """
        if not self._is_within:
            self._finish(failure=None)

    def save_dvc_exp(self) -> None:
        """Saves an experiment now, if the program does not run as one."""
        if not self._is_inert:
            self._saved = load("offbranch.live.finish:save_now")(self._begun, self._saved)

    def flush(self) -> None:
        """Writes all that waits to be written."""
        if not self._is_inert:
            self._outlet.flush()

    def leave(self) -> None:
        """Writes what waits, at the end of a process that has not called `end`."""
        if not self._is_inert:
            self._outlet.leave()

    def forked(self) -> None:
        """Begins anew in a forked child: it may log metrics, and leaves everything else to its parent."""
        self._outlet.forked()
        self._monitor = None

    def _finish(self, *, failure: str | None) -> None:
        if self._is_inert:
            return
        if self._monitor is not None:
            self._monitor.stop()
            self._monitor = None
        if self._is_ahead and isinstance(self._outlet.summary.get("step"), int | float):
            # `next_step` has begun a step that does not come.
            self._step, self._is_ahead = self._outlet.summary["step"], False
        self.flush()
        if self._outlet.is_guest:
            return
        if self._step is not None:
            self._outlet.summary["step"] = self._step
        self._saved = finish(self._begun, self._saved, failure=failure)
        ended(self)

    # Pieces

    def _shown(self, *parts: str) -> str:
        return os.path.join(self.dir, *parts)

    def _table(self, name: str, timestamp: bool) -> Table:
        path = self._outlet.table_path(name)
        table = open_table(name, path, has_timestamp=timestamp, is_resumed=self._begun.repeats_from is not None)
        return self._writer.tables.setdefault(name, table)

    def _cut(self, table: Table) -> None:
        """Removes lines of steps that an earlier program had begun and this one repeats."""
        table.is_cut = True
        first = max(self._step or 0, self._begun.repeats_from or 0)
        with self._outlet.faults.during(f"write '{table.path}'"):
            cut_repeated(table.path, first, column=1 if table.has_timestamp else 0)

    def _timed(self, table: Table, row: str) -> str:
        row = row[:-1] + os.linesep
        return f"{int(time.time() * 1000)}\t{row}" if table.has_timestamp else row

    def __getstate__(self) -> dict[str, Any]:
        return {"directory": self._outlet.directory, "step": self._step, "is_inert": self._is_inert}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In a process that was not forked, such as a worker of a data loader: as in a forked one.
        self._take(begin_guest(state["directory"], step=state["step"], is_inert=state["is_inert"]))
