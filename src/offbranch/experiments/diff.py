"""How the parameters and metrics of two revisions differ; either may be a commit, an experiment, or the workspace."""

from collections.abc import Mapping
from typing import Any, Final

from offbranch.base.errors import OffbranchError
from offbranch.experiments.diff_record import Change, Changes, ExperimentDiff
from offbranch.experiments.refs import resolve_any
from offbranch.experiments.revision import RevisionData, read_directory
from offbranch.experiments.revision_files import Entry
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.git.objects import ObjectReader
from offbranch.git.repository import GitRepo
from offbranch.params.diff import diff_values
from offbranch.params.lookup import MISSING, flatten
from offbranch.project import Project

WORKSPACE: Final = "workspace"


def diff_experiments(
    project: Project,
    repo: GitRepo,
    a: str | None,
    b: str | None,
    *,
    all_values: bool = False,
    param_deps: bool = False,
) -> ExperimentDiff:
    """Compares two revisions.

    Args:
        project: Whose workspace it is.
        repo: Where commits are.
        a: The old one; None for HEAD.
        b: The new one; None for the workspace.
        all_values: Lists what is the same, too.
        param_deps: Only parameters that a stage depends on.

    Raises:
        NotFoundError: One of them does not exist.
        OffbranchError: The pipelines of one cannot be understood.
    """
    names = (a or "HEAD", b or WORKSPACE)
    with ObjectReader(repo) as objects:
        reader = RevisionReader(objects, project.prefix, project.cache)
        old, new = (_read(project, repo, reader, name, param_deps) for name in names)
    return ExperimentDiff(
        old_name=names[0],
        new_name=names[1],
        metrics=diff_entries(old.metrics, new.metrics, all_values=all_values),
        params=diff_entries(old.params, new.params, all_values=all_values),
    )


def diff_entries(
    old: Mapping[str, Entry], new: Mapping[str, Entry], *, all_values: bool, keep_lists: bool = False
) -> Changes:
    """Compares the files of two revisions; one that cannot be read counts as empty.

    Args:
        all_values: Lists what is the same, too.
        keep_lists: Lists stay lists; otherwise they are text, as DVC shows them.
    """
    shown_as = _kept if keep_lists else _shown
    found = {}
    for path in dict.fromkeys((*old, *new)):
        before, after = _data(old.get(path)), _data(new.get(path))
        changes = {
            each.key: Change(old=shown_as(each.old), new=shown_as(each.new), difference=each.difference)
            for each in diff_values(before, after)
            # Nothing, an empty map and, unless all is asked for, null are the same.
            if not all(_is_nothing(value, null_counts=all_values) for value in (each.old, each.new))
        }
        # Equal values may be written in two ways: 1 and 1.0.
        earlier = dict(flatten(before)) if all_values else {}
        for name, value in flatten(after) if all_values else ():
            if value != {}:
                same = shown_as(earlier.get(name, value)), shown_as(value)
                changes.setdefault(name, Change(old=same[0], new=same[1], difference=_no_difference(value)))
        if changes:
            found[path] = {name: changes[name] for name in sorted(changes)}
    return found


def _read(project: Project, repo: GitRepo, reader: RevisionReader, name: str, param_deps: bool) -> RevisionData:
    if name == WORKSPACE:
        return read_directory(
            project.reader, ignores=project.ignore.ignores, cache=project.cache, param_deps=param_deps
        )
    commit = resolve_any(repo, name)
    data = reader.read((commit,), param_deps=param_deps)[commit]
    if isinstance(data, OffbranchError):
        raise data
    return data


def _data(entry: Entry | None) -> Any:
    """Returns what a file holds: a map, or a single value that is the whole file; an empty map for nothing."""
    data = entry.get("data") if entry else None
    return {} if data is None else data


def _shown(value: Any) -> Any:
    if value is MISSING or value == {}:
        return None
    return str(value) if isinstance(value, list) else value


def _kept(value: Any) -> Any:
    return None if value is MISSING or value == {} else value


def _is_nothing(value: Any, *, null_counts: bool) -> bool:
    return value is MISSING or value == {} or (value is None and not null_counts)


def _no_difference(value: Any) -> float | None:
    return value - value if isinstance(value, (int, float)) and value == value else None
