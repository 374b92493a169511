"""What Live keeps up to date on disk beside the tables of metrics: the summary, dvc.yaml, the report, signals for editors.

All of it is replaced in one step. It is done at each step as long as that costs little, otherwise within half a second.
"""

import _thread
import os
import time
from collections.abc import Mapping
from typing import Any

from offbranch.base.files import TEMPORARY_PREFIX, remove_tree
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.live.budget import Budget
from offbranch.live.faults import Faults
from offbranch.live.formats import copy_of, file_path, json_text, merge_missing, read_json, replace_file
from offbranch.live.saving import Signals
from offbranch.live.surroundings import current_directory
from offbranch.live.writer import Writer

_PLOTS = ("metrics", "images", "custom", "sklearn")
_Stamp = tuple[int, int, int]
# A step waits no longer for thousands of tables of metrics that are all new.
_STEP_S = 0.2


class Outlet:
    """The files of one Live.

    A program may change its current directory meanwhile: paths are made whole at the start.

    Attributes:
        home: The current directory at the start.
        directory: Where the files are.
        summary: What metrics.json holds; the program may change it.
        params: What params.yaml holds.
        plots: Path of the data of a plot -> options for dvc.yaml.
        artifacts: Name -> entry for dvc.yaml.
        dvcyaml: Path of the dvc.yaml, None if none is written.
        base: Directory that paths in it are seen from.
        report: Kind of report, None if there is none.
        is_guest: This is a child of the process that made it: it leaves alone what is not about metrics.
    """

    def __init__(self, directory: str, *, dvcyaml: str | None, report: str | None, faults: Faults) -> None:
        self.home = current_directory()
        self.directory = os.path.join(self.home, directory)
        self.dvcyaml = None if dvcyaml is None else os.path.normpath(os.path.join(self.home, dvcyaml))
        self.base = os.path.dirname(self.dvcyaml or "") or self.home
        self.report = report
        self.faults = faults
        self.summary: dict[str, Any] = {}
        self.params: dict[Any, Any] = {}
        self.plots: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.signals: Signals | None = None
        self.writer = Writer(faults, self._later)
        self.is_guest = False
        self._lock = _thread.allocate_lock()
        self._step_budget = Budget(at_start_s=0.25, share=0.05)
        self._report_budget = Budget(at_start_s=0.25, share=0.02)
        self._holder: int | None = None
        self._stamp: _Stamp | None = None
        self._written: str | None = None
        self._said: object = None
        self._late: dict[str, bytes] = {}
        self._param_texts: dict[Any, tuple[Any, str]] = {}
        self._change: object = None
        self._shown: Any = None

    def file(self, *parts: str) -> str:
        """Returns where below the directory something is."""
        return os.path.join(self.directory, *parts)

    def clean(self) -> None:
        """Removes what an earlier program has left; files of others stay, where it was started also those of such names."""
        with self.faults.during(f"clean '{self.directory}'"):
            for name in _PLOTS:
                remove_tree(AbsPath(self.file("plots", name)))
            remove_tree(AbsPath(self.file("plots", "images.dvc")))
            names = os.listdir(self.directory) if os.path.isdir(self.directory) else ()
            has_own = os.path.normpath(self.directory) == self.home or any(name in (".dvc", ".git") for name in names)
            for name in names:
                is_ours = name in ("metrics.json", "report.html", "report.md") or name.startswith(TEMPORARY_PREFIX)
                if is_ours or (not has_own and (name == "params.yaml" or name.endswith("dvc.yaml"))):
                    remove_tree(AbsPath(self.file(name)))
            if has_own:
                self.params = load("offbranch.live.params:read_params")(self.file("params.yaml"))
            os.makedirs(self.directory, exist_ok=True)

    def read(self) -> None:
        """Takes over what an earlier program has left."""
        with self.faults.during(f"read what is in '{self.directory}'"):
            self.params = load("offbranch.live.params:read_params")(self.file("params.yaml"))
            self._stamp = _stamp_of(self.file("metrics.json"))
            self.summary = read_json(self.file("metrics.json"))
            if self.dvcyaml is not None:
                prefixes = load("offbranch.live.dvcyaml:prefixes_of")(self.directory, self.base)
                plots, self.artifacts = load("offbranch.live.dvcyaml:known_entries")(self.dvcyaml, prefixes)
                data = tuple(f"{self._seen('plots', kind)}/" for kind in ("custom", "sklearn"))
                self.plots = {path: options for path, options in plots.items() if path.startswith(data)}

    def step(self, number: int) -> None:
        """Brings everything up to date after a step, now if that costs little, else in a moment."""
        now = time.monotonic()
        self.summary["step"] = number
        if not self._step_budget.allows(now):
            if not self.writer.is_awake:
                self.writer.arouse()
            return
        self.writer.flush_now(patience_s=_STEP_S)
        self.write_late()
        self.write_summary()
        self.write_dvcyaml()
        if self.report is not None and self._report_budget.allows(now):
            began = time.monotonic()
            self.write_report()
            self._report_budget.spend(time.monotonic() - began)
        if self.signals is not None and not self.is_guest:
            with self.faults.during("tell editors of a step"):
                self.signals.step(number)
        self._step_budget.spend(time.monotonic() - now)

    def write_summary(self, *, if_changed: bool = False) -> None:
        """Writes metrics.json; what another process has added to it meanwhile stays.

        Args:
            if_changed: Only if it is not what was written last.
        """
        path = self.file("metrics.json")
        # A signal handler that interrupts this would wait for itself: it goes on without.
        me = _thread.get_ident()
        is_mine = self._lock.acquire(blocking=False) or (self._holder != me and self._lock.acquire(timeout=1))
        try:
            self._holder = me
            with self.faults.during(f"write '{path}'"):
                stamp = _stamp_of(path)
                if stamp is not None and stamp != self._stamp:
                    merge_missing(self.summary, read_json(path))
                text = json_text(copy_of(self.summary))
                if if_changed and text == self._written:
                    return
                replace_file(path, text.encode())
                self._written, self._stamp = text, _stamp_of(path)
                self.faults.is_over(f"write '{path}'")
        finally:
            if is_mine:
                self._holder = None
                self._lock.release()

    def write_params(self, changed: Mapping[Any, Any]) -> None:
        """Takes parameters up, and writes params.yaml."""
        self.params.update(changed)
        self._change = object()
        path = self.file("params.yaml")
        with self.faults.during(f"write '{path}'"):
            seen = None
            # Whoever replaces the file last has seen all: another thread may have changed them meanwhile.
            while seen is not self._change:
                seen = self._change
                text = load("offbranch.live.params:params_text")(dict(self.params), self._param_texts)
                self._put(path, text.encode())

    def write_late(self) -> None:
        """Writes parameters and plots that could not be written when they were logged."""
        for path, content in list(self._late.items()):
            with self.faults.during(f"write '{path}'"):
                self._put(path, content)

    def write_dvcyaml(self, *, anyway: bool = False) -> None:
        """Writes what dvc.yaml says of these files, if that has changed.

        Args:
            anyway: Look at the file even if it was brought up to date before: somebody may have changed it.
        """
        if self.dvcyaml is None or self.is_guest:
            return
        said = (
            bool(self.params),
            bool(self.summary),
            bool(self.writer.tables),
            self.has_images(),
            dict(self.plots),
            dict(self.artifacts),
        )
        if said == self._said and not anyway:
            return
        with self.faults.during(f"write '{self.dvcyaml}'"):
            load("offbranch.live.dvcyaml:write_entries")(self.dvcyaml, self._entries())
            self._said = said

    def write_plot(self, kind: str, name: str, data: Any, looks: Any) -> None:
        """Writes data of a plot, and notes what dvc.yaml is to say of it."""
        file = load("offbranch.live.plots:plot_name")(name)
        with self.faults.during(f"write '{self.file('plots', kind, file)}'"):
            content = json_text(data).encode()
            self.plots[self._seen("plots", kind, file)] = load("offbranch.live.plots:options_of")(looks)
            self._put(self.file("plots", kind, file), content)

    def write_report(self) -> None:
        """Writes the report, or shows it in the notebook."""
        if self.report is None or self.is_guest:
            return
        with self.faults.during("make the report"):
            story = load("offbranch.live.report:Story")(
                directory=self.directory, params=self.params, metrics=copy_of(self.summary)
            )
            if self.report == "notebook":
                self._shown = load("offbranch.live.report:show_in_notebook")(story, self._shown)
            else:
                path = self.file(f"report.{self.report}")
                load("offbranch.live.report:write_report")(path, self.report, story)

    def flush(self) -> None:
        """Writes what waits: lines of metrics, the summary, what could not be written."""
        self.writer.flush_now()
        self.write_late()
        if not self.is_guest:
            self.write_summary(if_changed=True)

    def leave(self) -> None:
        """Writes what waits, where there may be no threads any more."""
        self.writer.flush()
        self.write_late()
        if not self.is_guest:
            if self.writer.is_awake:
                self.write_summary(if_changed=True)
            if self.signals is not None:
                self.signals.end()

    def table_path(self, name: str) -> str:
        """Returns where the table of a metric is."""
        return self.file("plots", "metrics", file_path(name) + ".tsv")

    def has_images(self) -> bool:
        """Tells whether there are images."""
        return _stamp_of(self.file("plots", "images")) is not None

    def forked(self) -> None:
        """Begins anew in a forked child."""
        self._lock = _thread.allocate_lock()
        self.is_guest = True
        self._late.clear()
        self.writer.forked()

    def _put(self, path: str, content: bytes) -> None:
        """Replaces a file; one that cannot be written now is kept for later."""
        self._late[path] = content
        replace_file(path, content)
        self._late.pop(path, None)
        self.faults.is_over(f"write '{path}'")

    def _later(self) -> None:
        """Is called by the thread of the writer."""
        if not self.is_guest:
            self.write_summary(if_changed=True)

    def _entries(self) -> Any:
        plots: dict[str, Mapping[str, Any]] = {}
        if self.writer.tables or os.path.isdir(self.file("plots", "metrics")):
            plots[self._seen("plots", "metrics")] = {"x": "step"}
        if self.has_images():
            plots[self._seen("plots", "images")] = {}
        return load("offbranch.live.dvcyaml:Entries")(
            prefixes=load("offbranch.live.dvcyaml:prefixes_of")(self.directory, self.base),
            params=(self._seen("params.yaml"),) if self.params else (),
            metrics=(self._seen("metrics.json"),) if self.summary else (),
            plots={**plots, **self.plots},
            artifacts=dict(self.artifacts),
        )

    def _seen(self, *parts: str) -> str:
        return os.path.relpath(self.file(*parts), self.base).replace(os.sep, "/")


def _stamp_of(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)
    except TimeoutError:  # of a signal handler
        raise
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
