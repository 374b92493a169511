"""The parameters or metrics of revisions, as `params` and `metrics` commands show them: of the workspace, commits, experiments.

What cannot be read is in the records beside what can: an entry of a file holds its error, a revision too. Paths are those of
the project; where the user is, is the caller's concern.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import DATA_SUFFIX, PIPELINE_FILE, RepoPath
from offbranch.base.records import record
from offbranch.experiments.attempts import attempt_of
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.revision import read_params
from offbranch.experiments.revision_files import DirectoryFiles, Entry, RevisionFiles
from offbranch.experiments.revision_metrics import (
    Locks,
    MetricSource,
    expand_metric,
    locks_of,
    metric_sources,
    metric_values,
    read_metrics,
)
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.experiments.running import where_it_runs
from offbranch.experiments.wanted import Wanted, wanted_of, wanted_of_stages
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project
from offbranch.storage.local import LocalCache

# Where there are no pipelines that could be understood: a file that is named is read all the same.
_NOTHING = Wanted(
    params={}, param_deps={}, template_params={}, metrics=(), deps=(), outs=(), recorded={}, locks=(), data={}
)


class Kind(Enum):
    """What is read."""

    PARAMS = "params"
    METRICS = "metrics"


@record
class Choice:
    """What of a revision is read.

    Attributes:
        kind: Parameters or metrics.
        targets: Files, and directories for all files in them, whatever the pipelines name; empty for what these name.
        stages: Only parameters that these stages depend on.
        deps: Only parameters that any stage depends on.
        lists: Of metrics: lists and nulls too.
        waiting: Commits of queued tasks, which have written no metrics yet.
    """

    kind: Kind
    targets: tuple[RepoPath, ...] = ()
    stages: tuple[str, ...] = ()
    deps: bool = False
    lists: bool = False
    waiting: frozenset[CommitId] = frozenset()

    @property
    def understand(self) -> Callable[[Pipelines], Wanted]:
        """How pipelines are understood."""
        return wanted_of_stages(self.stages) if self.stages else wanted_of


@record
class RevisionValues:
    """What one revision holds.

    Attributes:
        name: What the user calls it; empty for the workspace where nothing else is shown.
        files: File -> `{"data": ...}` or `{"error": {"type", "msg"}}`.
        error: Why nothing is known of it.
    """

    name: str
    files: Mapping[str, Entry]
    error: OffbranchError | None = None


def workspace_values(project: Project, choice: Choice, name: str) -> RevisionValues:
    """Returns what the files of the workspace hold now."""
    wanted: Wanted | OffbranchError
    try:
        pipelines = load_pipelines(project.reader, ignores=project.ignore.ignores, root=project.root)
        wanted = choice.understand(pipelines)
    except OffbranchError as error:
        wanted = error
    return _values(name, DirectoryFiles(project.reader, project.cache), wanted, project.cache, choice)


def running_values(project: Project, attempt: Attempt, choice: Choice, name: str) -> RevisionValues:
    """Returns what the files of an experiment that runs now hold where it runs."""
    reader, ignores = where_it_runs(project, attempt)
    wanted: Wanted | OffbranchError
    try:
        wanted = choice.understand(load_pipelines(reader, ignores=ignores, root=reader.root))
    except OffbranchError as error:
        wanted = error
    return _values(name, DirectoryFiles(reader, project.cache), wanted, project.cache, choice)


def commit_values(
    project: Project, objects: ObjectReader, commits: Mapping[CommitId, str], choice: Choice
) -> tuple[RevisionValues, ...]:
    """Returns what commits hold, in their order.

    Args:
        project: Whose commits they are; its cache has what Git does not keep.
        objects: Reads them.
        commits: Commit -> its name; of an unfinished attempt only those metrics count that it has written.
        choice: What is read.
    """
    reader = RevisionReader(objects, project.prefix, project.cache, understand=choice.understand)
    found = reader.each(tuple(commits), lambda files, wanted: _values("", files, wanted, project.cache, choice))
    written = _written(reader, objects, tuple(commits), choice) if choice.kind is Kind.METRICS else {}
    return tuple(
        RevisionValues(
            name=name,
            files={path: entry for path, entry in found[id].files.items() if id not in written or path in written[id]},
            error=found[id].error,
        )
        for id, name in commits.items()
    )


def _written(
    reader: RevisionReader, objects: ObjectReader, commits: Sequence[CommitId], choice: Choice
) -> dict[CommitId, Collection[str]]:
    """Returns the metric files that attempts and tasks have written themselves; other commits are not in it."""
    found: dict[CommitId, Collection[str]] = {id: () for id in commits if id in choice.waiting}
    for commit in objects.commits(commits):
        attempt = attempt_of(commit.message)
        if attempt is not None:
            data = reader.read_attempt(commit.id, attempt.baseline)
            found[commit.id] = () if isinstance(data, OffbranchError) else data.metrics.keys()
    return found


def _values(
    name: str, files: RevisionFiles, wanted: Wanted | OffbranchError, cache: LocalCache, choice: Choice
) -> RevisionValues:
    if isinstance(wanted, OffbranchError):
        if not choice.targets or choice.stages:
            return RevisionValues(name=name, files={}, error=wanted)
        wanted = _NOTHING
    try:
        return RevisionValues(name=name, files=_READERS[choice.kind](files, wanted, cache, choice))
    except OffbranchError as error:
        return RevisionValues(name=name, files={}, error=error)


def _read_params(files: RevisionFiles, wanted: Wanted, cache: LocalCache, choice: Choice) -> Mapping[str, Entry]:
    if choice.targets and not choice.stages:
        sources = _of_targets(choice.targets, files, wanted, locks_of(wanted, files), cache)
        return read_metrics(sources, files, values_of=_whole)
    found = read_params(wanted, files, param_deps=choice.deps)
    if choice.targets:
        return {path: entry for path, entry in found.items() if path in choice.targets}
    return found


def _read_metrics(files: RevisionFiles, wanted: Wanted, cache: LocalCache, choice: Choice) -> Mapping[str, Entry]:
    locks = locks_of(wanted, files)
    if choice.targets:
        sources: Sequence[MetricSource] = _of_targets(choice.targets, files, wanted, locks, cache)
    else:
        sources = metric_sources(wanted, files, locks, cache)
    return read_metrics(sources, files, values_of=_whole if choice.lists else metric_values)


_READERS = {Kind.PARAMS: _read_params, Kind.METRICS: _read_metrics}


def _of_targets(
    targets: Sequence[RepoPath], files: RevisionFiles, wanted: Wanted, locks: Locks, cache: LocalCache
) -> tuple[MetricSource, ...]:
    found: dict[RepoPath, MetricSource] = {}
    for target in targets:
        for source in _of_target(target, files, wanted, locks, cache):
            found.setdefault(source.path, source)
    return tuple(found.values())


def _of_target(
    target: RepoPath, files: RevisionFiles, wanted: Wanted, locks: Locks, cache: LocalCache
) -> Iterator[MetricSource]:
    for source in expand_metric(target, wanted, files, locks, cache):
        # Files that only describe data and pipelines hold no values of their own, unless they are named themselves.
        if source.path == target or not _describes(source.path):
            yield source


def _describes(path: RepoPath) -> bool:
    return path.rpartition("/")[2] == PIPELINE_FILE or path.endswith(DATA_SUFFIX)


def _whole(data: Any) -> Any:
    return {} if data is None else data
