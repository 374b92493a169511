"""Experiments are run. What else is done with them is in `exp_keep.py`, showing them in `show.py`."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from offbranch.api.identity import tell_of_unknown_identity
from offbranch.api.push_new import push_new
from offbranch.api.run_request import RunReport as RunReport
from offbranch.api.run_request import RunRequest as RunRequest
from offbranch.api.running import open_runner
from offbranch.api.session import Session, held, need_git, refuse_during_operation, working_directory
from offbranch.base.made_up_names import Chooser
from offbranch.base.paths import RepoPath, absolute
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.experiments.checkpoint_policy import checkpoint_policy
from offbranch.experiments.composition import hydra_source_of
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.naming import choose_name
from offbranch.experiments.override_files import placed_overrides
from offbranch.experiments.placed import outputs_of, remember_outputs
from offbranch.experiments.preview import preview_run
from offbranch.experiments.refs import TASKS
from offbranch.experiments.resume_files import Resumed
from offbranch.experiments.underway import Launch, Ran
from offbranch.experiments.workspace_run import run_workspace
from offbranch.git.refs import may_have_refs
from offbranch.git.repository import GitRepo, head_commit
from offbranch.pipeline.options import RunOptions
from offbranch.project import Project

# What goes on from a checkpoint; few runs do.
RESUME: Final = "offbranch.api.resuming:open_one"
# For --temp only.
PREPARE: Final = "offbranch.experiments.temporary_run:prepare_temporary"
RUN_PREPARED: Final = "offbranch.experiments.temporary_run:run_prepared"


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
        copies = tuple(absolute(path, base=session.start) for path in ready.copy_paths)
        prepared = load(PREPARE)(
            project, ready.repo, ready.spec, ready.options, launch, copy_paths=copies, resumed=ready.resumed
        )
    ran: Ran = load(RUN_PREPARED)(prepared, ready.options)
    push_new(project, ran.experiment, session)
    return RunReport(experiment=ran.experiment, plan=None, in_workspace=False)


@record
class _Ready:
    """What is to be run; `resumed` says what it goes on from."""

    repo: GitRepo
    spec: ExperimentSpec
    options: RunOptions
    copy_paths: tuple[str, ...] = ()
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
        spec = _make_spec(request, project, repo, rng, cwd)
        yield _Ready(repo=repo, spec=spec, options=options, copy_paths=request.copy_paths)
        return
    opened: AbstractContextManager[tuple[ExperimentSpec, Resumed, RunRequest]] = load(RESUME)(
        request, project, session, cwd, rng, here=here
    )
    with opened as (spec, resumed, asked):
        options = replace(options, select=asked.select)
        yield _Ready(repo=repo, spec=spec, options=options, copy_paths=asked.copy_paths, resumed=resumed)


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
