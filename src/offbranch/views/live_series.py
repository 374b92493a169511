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
_TEMPLATE = "linear"


@record
class Series:
    """One curve.

    Attributes:
        steps: Ascending as a rule; a run that goes on may write a step again.
        values: As many; what is no number is left out with its step.
    """

    steps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@record
class LiveRun:
    """What one run has logged.

    Attributes:
        name: Of the experiment, or `workspace`.
        state: `running`, `ended`.
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
        self._at, self._inode = 0, 0
        self._columns: list[str] = []
        self.series = Series()

    def read(self) -> None:
        """Takes in whole lines that have come since; a file that became shorter, or another one, is read anew."""
        try:
            with open(self._path, "rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._at:
                    self._at, self._inode, self._columns, self.series = 0, status.st_ino, [], Series()
                if status.st_size == self._at:
                    return
                file.seek(self._at)
                content = file.read()
        except OSError:
            return
        end = content.rfind(b"\n") + 1
        self._at += end
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


def plots_of_runs(runs: Iterable[LiveRun]) -> Plots:
    """Returns one plot for each metric, with a line for each run."""
    shown = [run for run in runs if run.series]
    names = sorted({name for run in shown for name in run.series})
    return Plots(
        names=tuple(names), specs=tuple(_spec(name, shown) for name in names), pictures=(), errors=(), templates={}
    )


def _spec(name: str, runs: Iterable[LiveRun]) -> PlotSpec:
    having = [(run, run.series[name]) for run in runs if name in run.series]
    points = tuple(
        {REVISION: _label(run), _STEP: step, name: value}
        for run, series in having
        for step, value in zip(series.steps, series.values, strict=True)
    )
    return PlotSpec(
        id=name,
        revisions=tuple(_label(run) for run, _ in having),
        template=_TEMPLATE,
        title=name,
        x=_STEP,
        y=name,
        x_label=_STEP,
        y_label=name.rpartition("/")[2],
        series=None,
        points=points,
    )


def _label(run: LiveRun) -> str:
    more = f", {run.checkpoints} checkpoint{'' if run.checkpoints == 1 else 's'}" if run.checkpoints else ""
    return f"{run.name} ({run.state}{more})"


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
        if step is not None and value is not None:
            series.steps.append(step)
            series.values.append(value)
    return columns


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None
