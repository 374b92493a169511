"""`Live`: the logger that a training program opens, with the names and files of DVCLive 3.

A fault of the machine never comes out of it: it is one warning, and training goes on. A call that makes no sense raises one of
`live/errors.py`. Methods may be called from any thread, and in forked children. In distributed training the process of rank 0
writes; the others have a `Live` that does nothing.
"""

import os
import time
from types import TracebackType
from typing import Any, Literal

from offbranch.base.plugins import load
from offbranch.live import contents, syncing
from offbranch.live.begin import Begun, Settings, begin, begin_guest
from offbranch.live.ending import end, retire_if_late
from offbranch.live.errors import InvalidDataTypeError
from offbranch.live.finish import failure_of
from offbranch.live.formats import field, put
from offbranch.live.registry import enter
from offbranch.live.resuming import begin_steps, cut_repeated_of, open_table_of
from offbranch.live.table import Table
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
        if self._step is None:
            self._begun = begin_steps(self._begun)
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
        table = writer.tables.get(name) or open_table_of(self._begun, name, has_timestamp=timestamp)
        if not table.is_cut:
            cut_repeated_of(self._begun, table, self._step or 0)
        row = f"{self._step or 0}\t{text}\n"
        if not table.plain:
            row = self._timed(table, row)
        if writer.is_deferring and writer.is_awake:
            table.rows.append(row)
        else:
            writer.write(table, row)

    # See live/contents.py

    log_metrics = contents.log_metrics
    log_param = contents.log_param
    log_params = contents.log_params
    log_image = contents.log_image
    log_plot = contents.log_plot
    log_sklearn_plot = contents.log_sklearn_plot
    log_artifact = contents.log_artifact
    monitor_system = contents.monitor_system

    # Steps

    def next_step(self, *, checkpoint: bool = True) -> None:
        """Ends a step: its values are on disk, a checkpoint is asked for if one is due (`checkpoint`), and the next begins."""
        if self._step is None:
            self.step = 0
        self._is_ahead = False
        retire_if_late(self)
        if not self._is_inert:
            self._outlet.step(self.step)
            if checkpoint:
                self.offer_checkpoint()
        self._step, self._is_ahead = self.step + 1, True

    def offer_checkpoint(self) -> None:
        """Asks for a checkpoint, if one is due: for who ends a step without, and has saved the model now."""
        asking = self._begun.asking
        if asking is not None and not self._outlet.is_guest and asking.is_due(time.monotonic()):
            self._outlet.flush()
            with self._outlet.faults.during("ask for a checkpoint"):
                asking.ask((self._step or 0) - self._is_ahead)

    # See live/syncing.py

    make_summary = syncing.make_summary
    make_dvcyaml = syncing.make_dvcyaml
    make_report = syncing.make_report
    sync = syncing.sync
    read_latest = syncing.read_latest
    read_step = syncing.read_step

    # The end

    def __enter__(self) -> "Live":
        self._is_within = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._is_within = False
        end(self, failure=failure_of(kind, error))

    def end(self) -> None:
        """Ends logging: everything is written, and an experiment saved if the program does not run as one.

        Inside of `with` it does nothing: leaving that does it. After an exception nothing is saved, only written.
        """
        if not self._is_within:
            end(self, failure=None)

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

    # Pieces

    def _shown(self, *parts: str) -> str:
        return os.path.join(self.dir, *parts)

    def _timed(self, table: Table, row: str) -> str:
        row = row[:-1] + os.linesep
        return f"{int(time.time() * 1000)}\t{row}" if table.has_timestamp else row

    def __getstate__(self) -> dict[str, Any]:
        return {"directory": self._outlet.directory, "step": self._step, "is_inert": self._is_inert}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In a process that was not forked, such as a worker of a data loader: as in a forked one.
        self._take(begin_guest(state["directory"], step=state["step"], is_inert=state["is_inert"]))
