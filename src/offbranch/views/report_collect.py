"""A project and a question -> `Report`: the metrics and parameters of some revisions against a baseline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from offbranch.base.errors import NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.records import record, replace
from offbranch.experiments.attempts import attempt_of
from offbranch.experiments.revision import RevisionData, read_directory
from offbranch.experiments.revision_files import Entry
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.experiments.running import find_running, where_it_runs
from offbranch.experiments.sides import find_commit
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.repository import GitRepo
from offbranch.params.lookup import flatten
from offbranch.project import Project
from offbranch.views.report import Report, ReportCell, ReportRevision, ReportRow

WORKSPACE: Final = "workspace"
_Values = dict[tuple[str, str], Any]


@record
class ReportOptions:
    """What is asked.

    Attributes:
        revisions: Experiments, attempts, queued tasks, commits or `workspace`; the workspace if there are none.
        against: The baseline.
        title: Heading; None for one that names the baseline.
        all_params: Lists parameters that are the same everywhere, too.
        higher: Metrics that are better when they are higher: names or shell patterns, with or without `path:`.
        lower: The same for lower.
    """

    revisions: tuple[str, ...] = ()
    against: str = "HEAD"
    title: str | None = None
    all_params: bool = False
    higher: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()


def collect_report(
    project: Project, repo: GitRepo, options: ReportOptions, tasks: Mapping[str, CommitId] | None = None
) -> Report:
    """Returns the report. A file that cannot be read is a note in it, and hides nothing else.

    Args:
        project: What is reported on.
        repo: Its repository.
        options: What is asked.
        tasks: Commits of those names that stand for queued tasks: these have no metrics yet.

    Raises:
        NotFoundError: A revision does not exist, or a metric whose direction is told.
        UsageError: A metric is said to be better both when it is higher and when it is lower.
        OffbranchError: The pipelines of a revision cannot be understood.
    """
    names = tuple(dict.fromkeys(options.revisions or (WORKSPACE,)))
    with ObjectReader(repo) as objects:
        reader = RevisionReader(objects, project.prefix, project.cache)
        asked = (options.against, *names)
        read = [_read(project, repo, objects, reader, name, (tasks or {}).get(name)) for name in asked]
    baseline, revisions = read[0][0], tuple(revision for revision, _ in read[1:])
    data = [each for _, each in read]
    metrics = _rows([each.metrics for each in data])
    directions = _directions(metrics, options)
    params = _rows([each.params for each in data])
    return Report(
        title=options.title or f"Experiments compared with {shown_revision(baseline)}",
        baseline=baseline,
        revisions=revisions,
        metrics=tuple(_judged(row, directions.get((row.path, row.name))) for row in metrics),
        params=tuple(row for row in params if options.all_params or row.is_changed),
        notes=(
            *_notes(asked, data),
            *(f"'{name}' is queued: it has no metrics before it has run" for name in tasks or ()),
        ),
    )


def shown_revision(revision: ReportRevision) -> str:
    """Returns a revision for people, its commit beside a name that is not an id itself."""
    if revision.commit is None or revision.commit.startswith(revision.name):
        return revision.name[:7] if revision.commit else revision.name
    return f"{revision.name} ({revision.commit[:7]})"


def _read(
    project: Project,
    repo: GitRepo,
    objects: ObjectReader,
    reader: RevisionReader,
    name: str,
    task: CommitId | None,
) -> tuple[ReportRevision, RevisionData]:
    if name == WORKSPACE:
        data: RevisionData | OffbranchError = read_directory(
            project.reader, ignores=project.ignore.ignores, cache=project.cache, param_deps=False
        )
        commit = None
    else:
        running = find_running(project, repo, name)
        if running is not None:
            where, ignores = where_it_runs(project, running)
            now = read_directory(where, ignores=ignores, cache=project.cache, param_deps=False)
            return ReportRevision(name=name, commit=None), now
        commit = task or find_commit(project, repo, name)
        attempt = attempt_of(objects.commit(commit).message)
        data = reader.read((commit,))[commit] if attempt is None else reader.read_attempt(commit, attempt.baseline)
        if task is not None and not isinstance(data, OffbranchError):
            data = replace(data, metrics={})
    if isinstance(data, OffbranchError):
        raise data
    return ReportRevision(name=name, commit=commit), data


def _rows(everything: Sequence[Mapping[str, Entry]]) -> tuple[ReportRow, ...]:
    values = [_flat(each) for each in everything]
    keys = dict.fromkeys(key for each in values for key in each)
    files = list(dict.fromkeys(path for path, _ in keys))
    ordered = sorted(keys, key=lambda key: (files.index(key[0]), key[1]))
    old, *new = values
    return tuple(
        ReportRow(
            path=key[0],
            name=key[1],
            old=old.get(key),
            cells=tuple(_cell(old.get(key), each.get(key)) for each in new),
        )
        for key in ordered
    )


def _flat(entries: Mapping[str, Entry]) -> _Values:
    return {
        (path, name or path): value
        for path, entry in entries.items()
        if "data" in entry
        for name, value in flatten(entry["data"])
        if value is not None and value != {}
    }


def _cell(old: Any, new: Any) -> ReportCell:
    is_number = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (old, new))
    return ReportCell(value=new, difference=new - old if is_number else None)


def _directions(metrics: Iterable[ReportRow], options: ReportOptions) -> dict[tuple[str, str], bool]:
    """Returns for metrics whose direction is told whether higher is better."""
    rows = tuple(metrics)
    found: dict[tuple[str, str], bool] = {}
    for patterns, is_higher in ((options.higher, True), (options.lower, False)):
        for pattern in patterns:
            named = [row for row in rows if _names(row, pattern)]
            if not named:
                names = [row.name for row in rows]
                hint = did_you_mean(pattern, names) or (
                    f"the metrics are {', '.join(sorted(set(names))[:10])}" if names else "there is no metric at all"
                )
                raise NotFoundError(f"there is no metric '{pattern}'", hint=hint)
            for row in named:
                if found.setdefault((row.path, row.name), is_higher) != is_higher:
                    raise UsageError(
                        f"the metric '{row.name}' cannot be better both when it is higher and when it is lower",
                        hint="name it once",
                    )
    return found


def _names(row: ReportRow, pattern: str) -> bool:
    return fnmatchcase(row.name, pattern) or fnmatchcase(f"{row.path}:{row.name}", pattern)


def _judged(row: ReportRow, is_higher_better: bool | None) -> ReportRow:
    if is_higher_better is None:
        return row
    cells = tuple(
        ReportCell(
            value=cell.value,
            difference=cell.difference,
            # Not a number is no progress, and nothing is said of it.
            is_better=(cell.difference > 0) == is_higher_better
            if cell.difference is not None and (cell.difference > 0 or cell.difference < 0)
            else None,
        )
        for cell in row.cells
    )
    return ReportRow(path=row.path, name=row.name, old=row.old, cells=cells)


def _notes(names: Sequence[str], everything: Sequence[RevisionData]) -> Iterator[str]:
    for name, data in zip(names, everything, strict=True):
        for path, entry in (*data.metrics.items(), *data.params.items()):
            if "error" in entry:
                yield f"'{path}' of {name} could not be read: {entry['error']['msg']}"
