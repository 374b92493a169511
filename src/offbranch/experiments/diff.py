"""How two sides differ: parameters and metrics, and what else is asked for.

Either side may be a commit, an experiment, an attempt that failed, or the workspace.
"""

from collections.abc import Mapping
from typing import Any, Final

from offbranch.base.plugins import load
from offbranch.experiments.diff_record import Change, Changes, DiffOptions, ExperimentDiff
from offbranch.experiments.revision_files import Entry
from offbranch.experiments.sides import WORKSPACE as WORKSPACE
from offbranch.experiments.sides import Side, open_sides
from offbranch.git.repository import GitRepo
from offbranch.params.diff import diff_values
from offbranch.params.lookup import MISSING, flatten
from offbranch.project import Project

# What a dependency or an output is compared by; the rest of its entry says how it is declared.
_CONTENT: Final = ("hash", "size", "nfiles")


def diff_experiments(
    project: Project, repo: GitRepo, a: str | None, b: str | None, options: DiffOptions
) -> ExperimentDiff:
    """Compares two sides.

    Args:
        project: Whose workspace it is.
        repo: Where commits are.
        a: The old one; None for HEAD.
        b: The new one; None for the workspace.
        options: What of them.

    Raises:
        NotFoundError: One of them does not exist.
        OffbranchError: The pipelines of one cannot be understood.
    """
    names = (a or "HEAD", b or WORKSPACE)
    all_values = options.all_values
    with open_sides(project, repo, names, param_deps=options.param_deps) as (old, new):
        return ExperimentDiff(
            old_name=names[0],
            new_name=names[1],
            metrics=diff_entries(old.data.metrics, new.data.metrics, all_values=all_values),
            params=diff_entries(old.data.params, new.data.params, all_values=all_values),
            deps=_diff_content(old.data.deps, new.data.deps, all_values) if options.deps else None,
            outs=_diff_content(old.data.outs, new.data.outs, all_values) if options.outs else None,
            environment=_diff_environment(project, old, new, all_values) if options.environment else None,
            code=load("offbranch.experiments.code_diff:diff_code")(
                project, repo, old, new, color=options.color, stat_width=options.stat_width
            )
            if options.code
            else None,
        )


def diff_entries(
    old: Mapping[str, Entry], new: Mapping[str, Entry], *, all_values: bool, keep_lists: bool = False
) -> Changes:
    """Compares the files of two revisions; one that cannot be read counts as empty.

    Args:
        all_values: Lists what is the same, too.
        keep_lists: Lists stay lists; otherwise they are text, as DVC shows them.
    """
    return diff_groups(
        {path: _data(entry) for path, entry in old.items()},
        {path: _data(entry) for path, entry in new.items()},
        all_values=all_values,
        keep_lists=keep_lists,
    )


def diff_groups(
    old: Mapping[str, Any], new: Mapping[str, Any], *, all_values: bool, keep_lists: bool = False
) -> Changes:
    """Compares nested values group by group; a group may be a single value."""
    shown_as = _kept if keep_lists else _shown
    found = {}
    for path in dict.fromkeys((*old, *new)):
        before, after = old.get(path, {}), new.get(path, {})
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


def content_of(entries: Mapping[str, Entry]) -> dict[str, dict[str, Any]]:
    """Returns what is recorded of the content of dependencies or outputs, by path."""
    found = {path: {key: entry.get(key) for key in _CONTENT} for path, entry in entries.items()}
    return {path: {key: value for key, value in values.items() if value is not None} for path, values in found.items()}


def _diff_content(old: Mapping[str, Entry], new: Mapping[str, Entry], all_values: bool) -> Changes:
    return diff_groups(content_of(old), content_of(new), all_values=all_values)


def _diff_environment(project: Project, old: Side, new: Side, all_values: bool) -> Changes:
    module = load("offbranch.experiments.environment")
    before, after = module.environments_of(project, (old, new))
    found = {}
    for group in dict.fromkeys((*before, *after)):
        if all_values or group not in module.NOTED or (group in before and group in after):
            names = _diff_names(before.get(group, {}), after.get(group, {}), all_values)
            if names:
                found[group] = names
    return found


def _diff_names(old: Mapping[str, Any], new: Mapping[str, Any], all_values: bool) -> dict[str, Change]:
    # Names of packages and stages have dots of their own: they are no nested values.
    return {
        name: Change(old=old.get(name), new=new.get(name), difference=None)
        for name in sorted({*old, *new})
        if all_values or old.get(name) != new.get(name)
    }


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
