"""Many experiments in one table: a row for each value, a column for each side, what differs first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from offbranch.base.errors import UsageError
from offbranch.base.paths import REPRO_DAT, GitPath, RepoPath
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.experiments.code_diff import is_data
from offbranch.experiments.diff import content_of
from offbranch.experiments.diff_record import UNREADABLE, ComparedRow, ComparedSide, CompareOptions, Comparison
from offbranch.experiments.refs import list_experiments
from offbranch.experiments.revision_files import Entry
from offbranch.experiments.sides import Side, open_sides
from offbranch.experiments.workbench import in_git
from offbranch.git.diff import changed_files, ids_on_disk, open_comparison
from offbranch.git.repository import GitRepo, head_commit
from offbranch.params.lookup import MISSING, flatten
from offbranch.project import Project

_UNKNOWN_ID: Final = "changed"
_Named = Mapping[str, Mapping[str, Any]]
_Ids = dict[GitPath, str]


def compare_experiments(project: Project, repo: GitRepo, names: Sequence[str], options: CompareOptions) -> Comparison:
    """Compares what is named; nothing named means HEAD and its experiments, one name that and HEAD.

    Args:
        project: Whose workspace it is.
        repo: Where commits are.
        names: Git revisions, experiments, attempts, or `workspace`; what is named twice counts once.
        options: What of them.

    Returns:
        Every value of every section, equal ones too.

    Raises:
        NotFoundError: One of them does not exist.
        UsageError: There is nothing to compare with each other.
        OffbranchError: The pipelines of one cannot be understood.
    """
    chosen = _chosen(repo, names)
    with open_sides(project, repo, tuple(chosen.values()), param_deps=options.param_deps) as sides:
        makers: Mapping[str, Callable[[], Iterator[ComparedRow]]] = {
            "params": lambda: _value_rows("params", [side.data.params for side in sides]),
            "metrics": lambda: _value_rows("metrics", [side.data.metrics for side in sides]),
            "deps": lambda: _rows("deps", [content_of(side.data.deps) for side in sides]),
            "outs": lambda: _rows("outs", [content_of(side.data.outs) for side in sides]),
            "env": lambda: _environment_rows(project, sides),
            "code": lambda: _code_rows(project, repo, sides),
        }
        rows = tuple(row for section in options.sections for row in sorted(makers[section](), key=_same_last))
        return Comparison(sides=tuple(map(_head_of, chosen, sides)), rows=rows)


def _chosen(repo: GitRepo, names: Sequence[str]) -> dict[str, str]:
    """Returns title of a column -> what it stands for."""
    if not names:
        found = {"HEAD": "HEAD", **{each.name: each.ref for each in list_experiments(repo, head_commit(repo))}}
        if len(found) == 1:
            raise UsageError(
                "no experiments start from HEAD",
                hint="name what to compare: ob exp compare A B; 'ob exp list -A' lists all experiments",
            )
        return found
    asked = tuple(dict.fromkeys(names if len(names) > 1 else ("HEAD", *names)))
    if len(asked) == 1:
        raise UsageError(f"there is nothing to compare '{names[0]}' with", hint="name two or more: ob exp compare A B")
    return {name: name for name in asked}


def _head_of(title: str, side: Side) -> ComparedSide:
    return ComparedSide(
        name=title,
        commit=side.commit.id if side.commit else None,
        state=side.attempt.true_state.value if side.attempt else None,
        errors={
            path: str(entry["error"]["msg"])
            for path, entry in (*side.data.params.items(), *side.data.metrics.items())
            if "error" in entry
        },
    )


def _value_rows(section: str, sides: Sequence[Mapping[str, Entry]]) -> Iterator[ComparedRow]:
    for row in _rows(section, [_nested(side) for side in sides]):
        is_bad = ["error" in side.get(row.path, {}) for side in sides]
        values = [UNREADABLE if bad else value for bad, value in zip(is_bad, row.values, strict=True)]
        yield _row(section, row.path, row.name, values)


def _nested(entries: Mapping[str, Entry]) -> dict[str, dict[str, Any]]:
    found = {}
    for path, entry in entries.items():
        data = entry.get("data")
        values = dict(flatten(data)) if isinstance(data, Mapping) else {}
        found[path] = {name: value for name, value in values.items() if name and value != {}}
    return found


def _rows(section: str, sides: Sequence[_Named]) -> Iterator[ComparedRow]:
    for path in dict.fromkeys(path for side in sides for path in side):
        groups = [side.get(path, {}) for side in sides]
        for name in dict.fromkeys(name for group in groups for name in group):
            yield _row(section, path, name, [group.get(name, MISSING) for group in groups])


def _environment_rows(project: Project, sides: Sequence[Side]) -> Iterator[ComparedRow]:
    module = load("offbranch.experiments.environment")
    groups = module.environments_of(project, sides)
    for row in _rows("env", groups):
        if row.path in module.NOTED:
            known = [value for value, names in zip(row.values, groups, strict=True) if row.path in names]
            row = replace(row, differs=_differ(known))
        yield row


def _row(section: str, path: str, name: str, values: Sequence[Any]) -> ComparedRow:
    return ComparedRow(section=section, path=path, name=name, values=tuple(values), differs=_differ(values))


def _differ(values: Sequence[Any]) -> bool:
    return any(not _is_same(values[0], value) for value in values[1:])


def _is_same(a: Any, b: Any) -> bool:
    # As the pipeline compares them (1, 1.0 and true are equal), and not a number equals itself.
    return bool(a == b or (a != a and b != b))


def _same_last(row: ComparedRow) -> bool:
    return not row.differs


def _code_rows(project: Project, repo: GitRepo, sides: Sequence[Side]) -> Iterator[ComparedRow]:
    """Yields the files of code that are not the same on all sides, each by the id Git gives its content."""
    private = in_git(project, RepoPath(REPRO_DAT))
    first, found = _ids_against_first(repo, sides)
    for path in sorted({path for ids in found for path in ids}):
        if path != private and not is_data(project, path, *sides):
            values = [ids.get(path, first.get(path, "")) or MISSING for ids in found]
            yield _row("code", path, "", values)


def _ids_against_first(repo: GitRepo, sides: Sequence[Side]) -> tuple[_Ids, list[_Ids]]:
    """Returns what the first commit has of the files that differ from it somewhere, and for each side what it has."""
    base = next(side.commit for side in sides if side.commit is not None)
    first: _Ids = {}
    found: list[_Ids] = []
    for side in sides:
        ids: _Ids = {}
        if side.commit is not base:
            with open_comparison(repo, base.tree, side.commit.tree if side.commit else None) as compared:
                changes = changed_files(compared)
            first.update((change.path, "" if change.status == "A" else change.old_id) for change in changes)
            ids = {change.path: "" if change.status == "D" else change.new_id for change in changes}
            if side.commit is None:
                here = [path for path, id in ids.items() if id]
                ids.update(dict.fromkeys(here, _UNKNOWN_ID) | ids_on_disk(repo, here))
        found.append(ids)
    return first, found
