"""Parameters and metrics: of the workspace, of commits and experiments, and how two revisions differ.

Nothing is changed, and no lock taken. Rendering is the caller's: `views/values_text.py` makes text, Markdown, CSV and JSON
of what is returned.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from offbranch.api.naming import queued_tasks
from offbranch.api.session import Session, opened, working_directory
from offbranch.base.errors import UsageError
from offbranch.base.paths import RepoPath, absolute, relative_to
from offbranch.base.plugins import load
from offbranch.base.records import field, record, replace
from offbranch.experiments.values import Choice, Kind, RevisionValues
from offbranch.experiments.values_revisions import Revisions, ValuesDiff
from offbranch.git.ids import CommitId
from offbranch.project import Project

T = TypeVar("T")
PARTS: Final = {
    "show": "offbranch.experiments.values_revisions:show_values",
    "diff": "offbranch.experiments.values_revisions:diff_revisions",
}


@record
class ValuesRequest:
    """What `params show` and `metrics show` are asked for.

    Attributes:
        targets: Files, and directories for all files in them, seen from where the user is; empty for what the pipelines name.
        revisions: Which revisions beside the workspace.
        stages: Only parameters that these stages depend on.
        deps: Only parameters that any stage depends on.
        lists: Of metrics: lists and nulls too.
    """

    targets: tuple[str, ...] = ()
    revisions: Revisions = field(default_factory=Revisions)
    stages: tuple[str, ...] = ()
    deps: bool = False
    lists: bool = False


@record
class ValuesDiffRequest:
    """What `params diff` and `metrics diff` are asked for.

    Attributes:
        old: Git revision, experiment, attempt or queued task; None for HEAD.
        new: The same, or `workspace`; None for the workspace.
        targets, deps: As in `ValuesRequest`.
        all_values: Lists what is the same, too.
        lists: Lists stay lists, and metrics that are lists are compared; otherwise as DVC does it.
    """

    old: str | None = None
    new: str | None = None
    targets: tuple[str, ...] = ()
    deps: bool = False
    all_values: bool = False
    lists: bool = False


def show_params(request: ValuesRequest, session: Session) -> tuple[RevisionValues, ...]:
    """Returns parameters.

    Returns:
        The workspace first, then branches and tags by name, or commits newest first. Paths are seen from where the user
        is. A file or revision that cannot be read has an error in its place and hides nothing else.

    Raises:
        NotFoundError: A revision does not exist. (One of `stages` may be in some revisions only: where it is not, that is the
            error of the revision.)
        UsageError: A target lies outside of the project.
    """
    return _show(Kind.PARAMS, request, session)


def show_metrics(request: ValuesRequest, session: Session) -> tuple[RevisionValues, ...]:
    """Returns metrics; see `show_params`."""
    return _show(Kind.METRICS, request, session)


def diff_params(request: ValuesDiffRequest, session: Session) -> ValuesDiff:
    """Compares the parameters of two revisions.

    Raises:
        NotFoundError: A revision does not exist.
        UsageError: A target lies outside of the project.
    """
    return _diff(Kind.PARAMS, request, session)


def diff_metrics(request: ValuesDiffRequest, session: Session) -> ValuesDiff:
    """Compares the metrics of two revisions; see `diff_params`."""
    return _diff(Kind.METRICS, request, session)


def _show(kind: Kind, request: ValuesRequest, session: Session) -> tuple[RevisionValues, ...]:
    with opened(session) as project:
        tasks = queued_tasks(project, request.revisions.revs)
        choice = Choice(
            kind=kind,
            targets=_targets(request.targets, project, session),
            stages=request.stages,
            deps=request.deps,
            lists=request.lists,
            waiting=frozenset(tasks.values()),
        )
        revisions = replace(request.revisions, revs=tuple(tasks.get(rev, rev) for rev in request.revisions.revs))
        found: tuple[RevisionValues, ...] = load(PARTS["show"])(project, revisions, choice)
        cwd = working_directory(project, session)
        return tuple(replace(_named(each, tasks), files=_seen_from(cwd, each.files)) for each in found)


def _diff(kind: Kind, request: ValuesDiffRequest, session: Session) -> ValuesDiff:
    with opened(session) as project:
        tasks = queued_tasks(project, (request.old, request.new))
        choice = Choice(
            kind=kind,
            targets=_targets(request.targets, project, session),
            deps=request.deps,
            lists=request.lists,
            waiting=frozenset(tasks.values()),
        )
        old, new = (name and tasks.get(name, name) for name in (request.old, request.new))
        found: ValuesDiff = load(PARTS["diff"])(project, old, new, choice, all_values=request.all_values)
        cwd = working_directory(project, session)
        return ValuesDiff(
            old=replace(_named(found.old, tasks), files=_seen_from(cwd, found.old.files)),
            new=replace(_named(found.new, tasks), files=_seen_from(cwd, found.new.files)),
            changes=_seen_from(cwd, found.changes),
        )


def _named(values: RevisionValues, tasks: Mapping[str, CommitId]) -> RevisionValues:
    """Returns the same, a queued task by the name that the user gave."""
    return replace(values, name={str(commit): name for name, commit in tasks.items()}.get(values.name, values.name))


def _targets(targets: Sequence[str], project: Project, session: Session) -> tuple[RepoPath, ...]:
    found = []
    for target in targets:
        path = relative_to(absolute(target, base=session.start), project.root)
        if path is None:
            raise UsageError(f"cannot read '{target}': it is outside of the project", hint="give a file of the project")
        found.append(path)
    return tuple(found)


def _seen_from(cwd: RepoPath, by_path: Mapping[str, T]) -> dict[str, T]:
    """Returns the same by paths relative to a directory of the project, as the user would write them."""
    if not cwd:
        return dict(by_path)
    return {os.path.relpath(path, cwd).replace(os.sep, "/"): value for path, value in by_path.items()}
