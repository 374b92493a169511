"""The curves that Live writes (docs/formats/live.md): read as they grow, from a directory, or at once from a revision."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.records import field, record
from offbranch.views.plot import REVISION, Plots, PlotSpec

# Where Live writes unless it is told otherwise.
DEFAULT_DIR = "dvclive"
_METRICS = "plots/metrics"
_SUFFIX = ".tsv"
_STEP = "step"
_VALUE = "value"  # of any metric: its own name may be that of the step
# What `monitor_system` logs.
_OF_MACHINE = "system/"
_TEMPLATE = "linear"
# So much of what was read must still be there; a row is shorter.
_TAIL_BYTES = 128
_MOST_TEXT = 60


@record
class Series:
    """One curve.

    Attributes:
        steps: Ascending as a rule; a run that goes on may write a step again.
        values: As many; what is no number is left out with its step.
        not_a_number: Step and text of the newest row if that is a text, NaN or an infinity; otherwise empty.
    """

    steps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    not_a_number: list[tuple[float, str]] = field(default_factory=list)

    @property
    def newest(self) -> str | None:
        """The newest value and its step, in words; None where there is none."""
        if self.not_a_number:
            step, text = self.not_a_number[0]
            return f"{text} at step {step:g}"
        return f"{self.values[-1]:g} at step {self.steps[-1]:g}" if self.steps else None


@record
class LiveRun:
    """What one run has logged.

    Attributes:
        name: Of the experiment, or `workspace`.
        state: `running`, `queued` or `ended`.
        series: Metric -> curve, in the order of their names.
        checkpoints: How many the run has made.
    """

    name: str
    state: str
    series: Mapping[str, Series]
    checkpoints: int = 0


class GrowingSeries:
    """The curves below a directory, read again and again: each time only what has come since. For one thread."""

    def __init__(self, root: AbsPath) -> None:
        self._root = root
        self._files: dict[str, _GrowingFile] = {}
        self._dirs: tuple[str, ...] = ()

    def read(self, dirs: Iterable[str]) -> dict[str, Series]:
        """Returns all curves so far.

        Args:
            dirs: Where Live writes, relative to the root.
        """
        self._dirs = tuple(os.path.join(self._root, each, *_METRICS.split("/")) for each in dirs)
        found = {path: name for top in self._dirs for path, name in _tables(top)}
        for path in self._files.keys() - found.keys():
            del self._files[path]
        for path in found:
            self._files.setdefault(path, _GrowingFile(path)).read()
        named = sorted((name, path) for path, name in found.items())
        return {name: self._files[path].series for name, path in named}

    def files(self) -> Iterator[str]:
        """Yields the files and directories whose change may change what `read` says."""
        for top in self._dirs:
            above = os.path.dirname(os.path.dirname(top))
            yield from (os.path.dirname(above), above, os.path.dirname(top), top)
            yield from (directory for directory, _, _ in os.walk(top))
        yield from self._files


class _GrowingFile:
    def __init__(self, path: str) -> None:
        self._path = path
        self._at, self._inode, self._tail = 0, 0, b""
        self._columns: list[str] = []
        self.series = Series()

    def read(self) -> None:
        """Takes in whole lines that have come since; a file that was cut, or another one, is read anew."""
        try:
            with open(self._path, "rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                file.seek(self._at - len(self._tail))
                # A run that goes on cuts off the last rows and writes them again: as many bytes, maybe.
                if inode != self._inode or file.read(len(self._tail)) != self._tail:
                    self._at, self._inode, self._tail, self._columns, self.series = 0, inode, b"", [], Series()
                    file.seek(0)
                content = file.read()
        except OSError:
            return
        end = content.rfind(b"\n") + 1
        if end:
            self._at += end
            self._tail = (self._tail + content[:end])[-_TAIL_BYTES:]
            self._columns = _take_in(content[:end], self._columns, self.series)


def series_of_files(paths: Iterable[RepoPath], read: Callable[[RepoPath], bytes], top: str) -> dict[str, Series]:
    """Returns the curves of files that do not grow.

    Args:
        paths: Files below `top`.
        read: Returns the content of one.
        top: The directory of metrics.
    """
    found = {}
    for path in sorted(paths):
        if path.endswith(_SUFFIX):
            series = Series()
            _take_in(read(path), [], series)
            found[path[len(top) + 1 : -len(_SUFFIX)]] = series
    return found


def live_dirs(root: AbsPath, metrics: Iterable[str]) -> tuple[str, ...]:
    """Returns where Live writes in a directory: in its usual place, beside its summaries, and wherever there are curves."""
    named = [os.path.dirname(path) for path in metrics if os.path.basename(path) == "metrics.json"]
    below = []
    try:
        with os.scandir(root) as entries:
            below = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        pass
    there = (name for name in sorted(below) if os.path.isdir(os.path.join(root, name, *_METRICS.split("/"))))
    return tuple(dict.fromkeys((DEFAULT_DIR, *(each for each in named if each), *there)))


def metrics_dir(directory: str) -> RepoPath:
    """Returns where the curves are below a directory that Live writes to."""
    return RepoPath(f"{directory}/{_METRICS}")


def plots_of_runs(runs: Iterable[LiveRun], names: Iterable[str] | None = None) -> Plots:
    """Returns one plot for each metric, with a line for each run; those that are named, or all."""
    shown = [run for run in runs if run.series]
    wanted = tuple(metrics_of(shown) if names is None else names)
    return Plots(names=wanted, specs=tuple(_spec(name, shown) for name in wanted), pictures=(), errors=(), templates={})


def metrics_of(runs: Iterable[LiveRun]) -> tuple[str, ...]:
    """Returns the names of all metrics in their order; those of the machine come last."""
    names = {name for run in runs for name in run.series}
    return tuple(sorted(names, key=lambda name: (name.startswith(_OF_MACHINE), name)))


def _spec(name: str, runs: Iterable[LiveRun]) -> PlotSpec:
    having = [(_label(run, run.series[name]), run.series[name]) for run in runs if name in run.series]
    points = tuple(
        {REVISION: label, _STEP: step, _VALUE: value}
        for label, series in having
        for step, value in zip(series.steps, series.values, strict=True)
    )
    return PlotSpec(
        id=name,
        revisions=tuple(label for label, _ in having),
        template=_TEMPLATE,
        title=name,
        x=_STEP,
        y=_VALUE,
        x_label=_STEP,
        y_label=name.rpartition("/")[2],
        series=None,
        points=points,
    )


def _label(run: LiveRun, series: Series) -> str:
    more = f", {run.checkpoints} checkpoint{'' if run.checkpoints == 1 else 's'}" if run.checkpoints else ""
    odd = f", {series.newest}" if series.not_a_number else ""
    return f"{run.name} ({run.state}{more}{odd})"


def _tables(top: str) -> Iterator[tuple[str, str]]:
    for directory, _, names in os.walk(top):
        for name in names:
            if name.endswith(_SUFFIX):
                path = os.path.join(directory, name)
                yield path, os.path.relpath(path, top)[: -len(_SUFFIX)].replace(os.sep, "/")


def _take_in(content: bytes, columns: list[str], series: Series) -> list[str]:
    """Adds rows to a curve; returns the columns, which the first line names."""
    for line in content.decode("utf-8", "replace").splitlines():
        cells = line.split("\t")
        if not columns:
            columns = cells
            continue
        if len(cells) != len(columns):
            continue
        step = _number(cells[columns.index(_STEP)]) if _STEP in columns else float(len(series.steps))
        value = _number(cells[-1])
        if step is None:
            continue
        series.not_a_number[:] = [(step, _shown(cells[-1]))] if value is None else []
        if value is not None:
            series.steps.append(step)
            series.values.append(value)
    return columns


def _shown(text: str) -> str:
    """Returns a text for a terminal: in one line, not too long, without codes that it would follow."""
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None
