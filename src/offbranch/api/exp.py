"""Experiments: run, save, apply, branch, rename, remove. Showing them is in `show.py`."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from offbranch.api.identity import tell_of_unknown_identity
from offbranch.api.run_request import RunReport as RunReport
from offbranch.api.run_request import RunRequest as RunRequest
from offbranch.api.running import open_runner
from offbranch.api.session import Session, held, need_git, refuse_during_operation, working_directory
from offbranch.base.errors import ConflictError, UsageError
from offbranch.base.paths import ROOT, AbsPath, RepoPath, absolute, relative_to
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.experiments.apply import Applied, apply_experiment
from offbranch.experiments.branch import Branched, make_branch
from offbranch.experiments.checkpoint_policy import checkpoint_policy
from offbranch.experiments.composition import hydra_source_of
from offbranch.experiments.experiment import Experiment, ExperimentSpec
from offbranch.experiments.names import Chooser
from offbranch.experiments.naming import choose_name
from offbranch.experiments.override_files import placed_overrides
from offbranch.experiments.placed import outputs_of, remember_outputs
from offbranch.experiments.preview import preview_run
from offbranch.experiments.refs import TASKS
from offbranch.experiments.remove import Removal, Removed, remove_experiments
from offbranch.experiments.rename import Renamed, rename_experiment
from offbranch.experiments.resume_files import Resumed
from offbranch.experiments.save import SaveRequest, save_experiment
from offbranch.experiments.temporary_run import prepare_temporary, run_prepared
from offbranch.experiments.underway import Launch
from offbranch.experiments.workspace_run import run_workspace
from offbranch.git.refs import may_have_refs
from offbranch.git.repository import GitRepo, head_commit
from offbranch.pipeline.options import RunOptions
from offbranch.project import Project

# What goes on from a checkpoint; few runs do.
RESUME: Final = "offbranch.api.resuming:open_one"
TASK_REVISION: Final = "offbranch.queue.store:revision_of"


def run(
    request: RunRequest,
    session: Session,
    *,
    rng: Chooser | None = None,
    clock: Callable[[], float] = time.time,
) -> RunReport:
    """Runs one experiment.

    Args:
        request: What to run.
        session: Where.
        rng: Chooses an automatic name; by default an own generator, so seeding `random` changes nothing.
        clock: Seconds since the epoch.

    Returns:
        The experiment: a commit below refs/exps. The ref is written last: interrupted before, there is no experiment but a
        record of the attempt.

    Raises:
        StageFailedError: A stage failed; the attempt is recorded and the workspace is as it was.
        ConflictError: The name is taken for this baseline.
        OffbranchError: Something is wrong with the input; nothing has been changed.
    """
    if request.temporary and not request.dry:
        return _run_temporary(request, session, rng or random.Random(), clock)
    with (
        held(session, runs_commands=True) as (project, descriptors),
        _opened(request, session, project, rng or random.Random(), here=True) as ready,
    ):
        repo, spec, options = ready.repo, ready.spec, ready.options
        if request.dry:
            files = None if ready.resumed is None else ready.resumed.files
            plan = preview_run(project, spec, options, session.reporter, files)
            return RunReport(experiment=None, plan=plan, in_workspace=False)
        launch = make_launch(session, project, clock, descriptors)
        ran = run_workspace(project, repo, spec, options, launch, ready.resumed)
        remember_outputs(project, outputs_of(ran.outcome.result))
        push_new(project, ran.experiment, session)
        return RunReport(experiment=ran.experiment, plan=None, in_workspace=True)


def _run_temporary(request: RunRequest, session: Session, rng: Chooser, clock: Callable[[], float]) -> RunReport:
    """Holds the project only while it takes what it needs; meanwhile others may work, and run in copies of their own."""
    with held(session) as (project, _), _opened(request, session, project, rng, here=False) as ready:
        launch = make_launch(session, project, clock, ())
        copies = tuple(absolute(path, base=session.start) for path in request.copy_paths)
        prepared = prepare_temporary(
            project, ready.repo, ready.spec, ready.options, launch, copy_paths=copies, resumed=ready.resumed
        )
    ran = run_prepared(prepared, ready.options)
    push_new(project, ran.experiment, session)
    return RunReport(experiment=ran.experiment, plan=None, in_workspace=False)


@record
class _Ready:
    """What is to be run; `resumed` says what it goes on from."""

    repo: GitRepo
    spec: ExperimentSpec
    options: RunOptions
    resumed: Resumed | None = None


@contextmanager
def _opened(request: RunRequest, session: Session, project: Project, rng: Chooser, *, here: bool) -> Iterator[_Ready]:
    repo = need_git(project)
    refuse_during_operation(repo)
    cwd = working_directory(project, session)
    options = RunOptions(select=replace(request.select, cwd=cwd), execute=request.execute)
    if not request.dry:
        tell_of_unknown_identity(repo, session)
    if request.resume is None:
        yield _Ready(repo=repo, spec=_make_spec(request, project, repo, rng, cwd), options=options)
        return
    opened: AbstractContextManager[tuple[ExperimentSpec, Resumed]] = load(RESUME)(
        request, project, session, cwd, rng, here=here
    )
    with opened as (spec, resumed):
        yield _Ready(repo=repo, spec=spec, options=options, resumed=resumed)


def make_launch(session: Session, project: Project, clock: Callable[[], float], descriptors: tuple[int, ...]) -> Launch:
    """Returns what a run needs from outside.

    Args:
        descriptors: Of the locks that the commands of a run in the workspace inherit; none for one in a copy.
    """
    held_root = project.root if descriptors else None
    return Launch(
        attempt_id=_attempt_id(clock()),
        open_runner=lambda log, more: open_runner(session, log=log, keep_open=(*descriptors, *more), root=held_root),
        reporter=session.reporter,
        clock=clock,
    )


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


def push_new(project: Project, experiment: Experiment, session: Session) -> None:
    """Pushes a new experiment where that is configured; the code for it is loaded only then."""
    said = session.environment.exp_auto_push
    if project.config.get_bool("exp", "auto_push") if said is None else said:
        load("offbranch.api.auto_push:auto_push")(project, experiment, session)


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


def _make_spec(request: RunRequest, project: Project, repo: GitRepo, rng: Chooser, cwd: RepoPath) -> ExperimentSpec:
    hydra = hydra_source_of(project) if request.use_hydra else None
    overrides = placed_overrides(
        request.overrides, cwd, reader=project.reader, root=project.root, is_composed=hydra is not None
    )
    if any(override.sweep is not None or override.glob is not None for override in overrides):
        raise load("offbranch.api.sweep_refusal:refusal")(request, overrides)
    baseline = head_commit(repo)
    reserved: frozenset[str] = frozenset()
    if may_have_refs(repo, TASKS):
        reserved = load("offbranch.queue.store:queued_names")(repo, project.root, baseline)
    return ExperimentSpec(
        name=choose_name(request.name, repo, baseline, rng, force=request.force, reserved=reserved),
        baseline=baseline,
        overrides=tuple(override.text for override in overrides),
        targets=request.targets,
        message=request.message,
        force=request.force,
        hydra=hydra,
        checkpoints=checkpoint_policy(project.config, request.checkpoint, request.keep_checkpoints),
    )


def _attempt_id(now_utc: float) -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_utc)) + f"-{os.urandom(3).hex()}"
