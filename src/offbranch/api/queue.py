"""The queue: adding experiments to it."""

import os
import random
import time
from collections.abc import Callable

from offbranch.api.run_request import RunRequest
from offbranch.api.session import Session, held, need_git, refuse_during_operation, working_directory
from offbranch.base.errors import UsageError
from offbranch.base.made_up_names import Chooser
from offbranch.base.paths import RepoPath, absolute, join, relative_to
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.experiments.checkpoint_policy import checkpoint_policy
from offbranch.experiments.composition import group_options, hydra_source_of, source_files
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.names import check_name
from offbranch.experiments.override_files import placed_overrides
from offbranch.experiments.temporary_run import check_copies
from offbranch.experiments.workbench import in_git
from offbranch.git.ignore import ignored_files
from offbranch.git.repository import head_commit
from offbranch.params.sweep import Grid, expand_globs, grid_of, trials
from offbranch.pipeline.options import RunOptions
from offbranch.project import Project
from offbranch.queue.events import SweepPlanned
from offbranch.queue.remote.report import SyncReport
from offbranch.queue.remote.shared_signs import may_share
from offbranch.queue.submit import Wish, choose_names, plan_submission, write_submission
from offbranch.queue.task import StoredTask, Task
from offbranch.queue.terms import NO_TERMS, Terms

# More at once are most often a slip of the keyboard; this many are queued in a few seconds.
MAX_TRIALS = 5_000
# What fits in memory, and in the patience of whoever has to look at the table.
MOST_TRIALS = 100_000


@record
class Queued:
    """What a request has come to.

    Attributes:
        tasks: In the order of the trials; without commits for a dry run.
        grid: What they are made of.
        replaced: Names of queued tasks that were taken out to make room.
        shared: What came of sending them, where the clone shares its queue.
    """

    tasks: tuple[Task, ...]
    stored: tuple[StoredTask, ...]
    grid: Grid
    replaced: tuple[str, ...]
    shared: SyncReport | None = None


def submit(
    request: RunRequest,
    session: Session,
    *,
    terms: Terms = NO_TERMS,
    max_trials: int = MAX_TRIALS,
    rng: Chooser | None = None,
    clock: Callable[[], float] = time.time,
) -> Queued:
    """Queues one experiment, or one for each trial of a sweep, with the workspace as it is now.

    Args:
        request: What is to be run; with `dry` nothing is written.
        session: Where.
        terms: How the tasks are to be run: priority, held, time, retries, resources.
        max_trials: More are refused; they are counted before anything is expanded.
        rng: Chooses automatic names.
        clock: Seconds since the epoch.

    Returns:
        The tasks, in the order of the trials (the last sweep varies fastest). All are queued by one transaction, or none.

    Raises:
        ConflictError: A name is taken.
        UsageError: There are more trials than allowed, or a sweep cannot be enumerated.
        OffbranchError: Something is wrong with the input; nothing has been changed.
    """
    if request.name is not None:
        check_name(request.name)
    done, may_be_shared = _submit(request, session, terms, max_trials, rng or random.Random(), clock)
    if not may_be_shared or request.dry:
        return done
    report = load("offbranch.api.queue_remote:send_new")(session, done.stored)
    if done.replaced:
        load("offbranch.api.queue_remote_changes:withdraw_removed")(session)
    return replace(done, shared=report)


def _submit(
    request: RunRequest,
    session: Session,
    terms: Terms,
    max_trials: int,
    rng: Chooser,
    clock: Callable[[], float],
) -> tuple[Queued, bool]:
    with held(session) as (project, _):
        repo = need_git(project)
        refuse_during_operation(repo)
        wish = replace(_wish(request, session, project, clock()), terms=terms)
        if request.resume is not None:
            submit_resumed = load("offbranch.api.resuming_queued:submit_resumed")
            return submit_resumed(request, session, project, wish, max_trials, rng), may_share(
                repo, project.environment
            )
        parsed = placed_overrides(
            request.overrides,
            wish.options.select.cwd,
            reader=project.reader,
            root=project.root,
            is_composed=wish.spec.hydra is not None,
        )
        swept = expand_globs(parsed, group_options(project, wish.spec.hydra, session.reporter))
        grid = grid_of(swept)
        refuse_too_many(grid, max_trials)
        names = choose_names(project, repo, wish.spec, grid.n_trials, rng, numbered=grid.is_sweep)
        if grid.is_sweep:
            session.reporter.emit(SweepPlanned(grid=grid))
        planned = plan_submission(project, wish, names, trials(swept), session.reporter)
        stored = () if request.dry else write_submission(project, repo, planned)
        replaced = tuple(each.name for each in planned.replaced)
        done = Queued(tasks=planned.tasks, stored=stored, grid=grid, replaced=replaced)
        return done, may_share(repo, project.environment)


def _wish(request: RunRequest, session: Session, project: Project, now_utc: float) -> Wish:
    repo = need_git(project)
    copies = tuple(absolute(path, base=session.start) for path in request.copy_paths)
    check_copies(project, copies)
    hydra = hydra_source_of(project) if request.use_hydra else None
    # What Git ignores of the configuration is no part of the experiment, but its commands may read it.
    hidden = ignored_files(repo, [in_git(project, path) for path in source_files(project, hydra)])
    copies += tuple(join(repo.root, path) for path in hidden)
    cwd = working_directory(project, session)
    return Wish(
        spec=ExperimentSpec(
            name=request.name if request.name is not None else "",
            baseline=head_commit(repo),
            targets=request.targets,
            message=request.message,
            force=request.force,
            hydra=hydra,
            checkpoints=checkpoint_policy(project.config, request.checkpoint, request.keep_checkpoints),
        ),
        options=RunOptions(select=replace(request.select, cwd=cwd), execute=request.execute),
        copy_paths=tuple(RepoPath(relative_to(path, project.root) or "") for path in copies),
        id_stem=_id_stem(now_utc),
        created_utc=now_utc,
    )


def _id_stem(now_utc: float) -> str:
    """Returns what ids begin with: they sort by the millisecond, and are told apart by chance."""
    milliseconds = int(now_utc * 1000) % 1000
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_utc)) + f"-{milliseconds:03x}{os.urandom(2).hex()[:3]}"


def refuse_too_many(grid: Grid, max_trials: int) -> None:
    """Raises where a sweep has more trials than may be queued.

    Raises:
        UsageError: It has.
    """
    n = grid.n_trials
    if n <= min(max_trials, MOST_TRIALS):
        return
    made_of = " x ".join(map(str, grid.lengths))
    if n > MOST_TRIALS:
        raise UsageError(
            f"this sweep has {n} trials ({made_of}), and more than {MOST_TRIALS} cannot be queued at once",
            hint="use fewer values, or several sweeps one after the other",
        )
    raise UsageError(
        f"this sweep has {n} trials ({made_of}), and more than {max_trials} are queued only if you say so",
        hint=f"--max-trials {n} queues them all",
    )
