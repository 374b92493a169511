"""What is done with experiments apart from running and showing them: save, apply, branch, rename, remove."""

import random
from typing import Final

from offbranch.api.identity import tell_of_unknown_identity
from offbranch.api.push_new import push_new
from offbranch.api.session import Session, held, need_git, refuse_during_operation, working_directory
from offbranch.base.errors import ConflictError, UsageError
from offbranch.base.made_up_names import Chooser
from offbranch.base.paths import ROOT, AbsPath, RepoPath, absolute, relative_to
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.experiments.apply import Applied, apply_experiment
from offbranch.experiments.branch import Branched, make_branch
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.refs import TASKS
from offbranch.experiments.remove import Removal, Removed, remove_experiments
from offbranch.experiments.rename import Renamed, rename_experiment
from offbranch.experiments.save import SaveRequest, save_experiment
from offbranch.git.refs import may_have_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project

TASK_REVISION: Final = "offbranch.queue.store:revision_of"


def save(request: SaveRequest, session: Session, *, rng: Chooser | None = None) -> Experiment:
    """Saves the workspace as an experiment without running anything.

    Raises:
        ConflictError: The name is taken for this baseline.
    """
    with held(session) as (project, _):
        repo = need_git(project)
        refuse_during_operation(repo)
        tell_of_unknown_identity(repo, session)
        cwd = working_directory(project, session)
        include = tuple(_inside(project, absolute(path, base=session.start)) for path in request.include)
        request = replace(request, cwd=cwd, include=include)
        saved = save_experiment(project, repo, request, rng or random.Random(), session.reporter)
        push_new(project, saved, session)
        return saved


def apply(name: str, session: Session, *, strict_baseline: bool | None = None, dry: bool = False) -> Applied:
    """Makes the workspace equal to an experiment; HEAD and index stay.

    Args:
        name: Name, any revision of Git, or name or id of a failed attempt or a queued task.
        session: Where.
        strict_baseline: Refuses an experiment of another baseline; by default as configured (`exp.strict_baseline`).
        dry: Only tells what would be done.

    Returns:
        What was written, and the commit that keeps the work which it replaced: apply that to go back.

    Raises:
        BaselineMismatchError: It belongs to another baseline and that is refused.
        NotFoundError: There is no such experiment.
    """
    with held(session) as (project, _):
        repo = need_git(project)
        strict = project.config.get_bool("exp", "strict_baseline") if strict_baseline is None else strict_baseline
        revision = _revision(project, repo, name)
        done = apply_experiment(project, repo, revision, session.reporter, strict_baseline=strict, dry=dry)
        return replace(done, name=name)


def branch(name: str, session: Session, *, branch_name: str | None = None) -> Branched:
    """Makes a Git branch of an experiment, `<experiment>-branch` if not told otherwise. Does not switch to it.

    Raises:
        ConflictError: The branch exists.
        NotFoundError: There is no such experiment.
    """
    with held(session) as (project, _):
        repo = need_git(project)
        _refuse_queued(project, repo, name)
        return make_branch(project, repo, name, branch_name)


def rename(old: str, new: str, session: Session, *, force: bool = False, dry: bool = False) -> Renamed:
    """Gives an experiment another name; with `dry` only tells what that would do.

    Raises:
        ConflictError: The new name is taken for this baseline and `force` is not given.
        NotFoundError: There is no such experiment.
    """
    with held(session) as (project, _):
        repo = need_git(project)
        _refuse_queued(project, repo, old)
        return rename_experiment(repo, old, new, force=force, dry=dry)


def remove(removal: Removal, session: Session) -> Removed:
    """Removes experiments, attempts that failed, and queued tasks; all names are checked before anything is removed.

    Raises:
        NotFoundError: A name is not known; nothing has been removed.
        ConflictError: A task is running; likewise.
    """
    with held(session) as (project, _):
        repo = need_git(project)
        if not (removal.queue or (removal.names and may_have_refs(repo, TASKS))):
            return remove_experiments(project, repo, removal)
        removed: Removed = load("offbranch.queue.remove:remove_with_tasks")(project, repo, removal)
    if (
        removed.tasks
        and not removal.dry
        and load("offbranch.queue.remote.shared_signs:may_share")(repo, project.environment)
    ):
        load("offbranch.api.queue_remote_changes:withdraw_removed")(session)
    return removed


def _revision(project: Project, repo: GitRepo, name: str) -> str:
    """Returns what experiments know by that name: a queued task is its commit."""
    revision: str = load(TASK_REVISION)(repo, project.root, name) if may_have_refs(repo, TASKS) else name
    return revision


def _refuse_queued(project: Project, repo: GitRepo, name: str) -> None:
    if _revision(project, repo, name) != name:
        text = f"'{name}' waits in the queue and is no experiment yet"
        raise ConflictError(text, hint="run it: ob queue start")


def _inside(project: Project, path: AbsPath) -> RepoPath:
    inside = relative_to(path, project.root)
    if inside == ROOT:
        raise UsageError(f"cannot include '{path}': it is the whole project", hint="name files or directories in it")
    if inside is None:
        raise UsageError(f"cannot include '{path}': it is not below the project", hint="give a path of the project")
    return inside
