"""The queue: adding experiments to it, and running what waits there."""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence

from offbranch.api.exp import RunRequest, make_launch, push_new
from offbranch.api.session import (
    Session,
    beginning,
    held,
    need_git,
    opened,
    refuse_during_operation,
    working_directory,
)
from offbranch.base.errors import ConflictError, Interrupted, LockedError, OffbranchError, StageFailedError, UsageError
from offbranch.base.events import Warned
from offbranch.base.paths import RepoPath, absolute, join, relative_to
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.experiments.composition import group_options, hydra_source_of, source_files
from offbranch.experiments.experiment import Experiment, ExperimentSpec
from offbranch.experiments.leases import forget_lease, hold_lease
from offbranch.experiments.names import Chooser, check_name
from offbranch.experiments.override_files import placed_overrides
from offbranch.experiments.run import RunOptions
from offbranch.experiments.temporary_run import check_copies
from offbranch.experiments.workbench import in_git
from offbranch.git.ids import CommitId
from offbranch.git.ignore import ignored_files
from offbranch.git.repository import head_commit
from offbranch.params.sweep import Grid, expand_globs, grid_of, trials
from offbranch.project import Project
from offbranch.queue.events import SweepPlanned, TaskFailed, TaskPutBack
from offbranch.queue.store import Unreadable, next_waiting
from offbranch.queue.submit import Wish, choose_names, plan_submission, write_submission
from offbranch.queue.take import Taken, run_taken, take_task
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
    """

    tasks: tuple[Task, ...]
    stored: tuple[StoredTask, ...]
    grid: Grid
    replaced: tuple[str, ...]


@record
class TaskEnd:
    """How one task ended.

    Attributes:
        experiment: What it became; None if it failed.
        error: Why it failed.
        attempt_id: The record of its failure.
        cause: Why it failed, in one line; empty for success.
        exit_code: Of the stage command that failed; None if none did.
    """

    name: str
    id: str
    baseline: CommitId
    experiment: Experiment | None
    attempt_id: str
    cause: str = ""
    exit_code: int | None = None


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
    with held(session) as (project, _):
        repo = need_git(project)
        refuse_during_operation(repo)
        wish = replace(_wish(request, session, project, clock()), terms=terms)
        parsed = placed_overrides(
            request.overrides,
            wish.options.select.cwd,
            reader=project.reader,
            root=project.root,
            is_composed=wish.spec.hydra is not None,
        )
        swept = expand_globs(parsed, group_options(project, wish.spec.hydra, session.reporter))
        grid = grid_of(swept)
        _refuse_too_many(grid, max_trials)
        names = choose_names(project, repo, wish.spec, grid.n_trials, rng or random.Random(), numbered=grid.is_sweep)
        if grid.is_sweep:
            session.reporter.emit(SweepPlanned(grid=grid))
        planned = plan_submission(project, wish, names, trials(swept), session.reporter)
        stored = () if request.dry else write_submission(project, repo, planned)
        return Queued(
            tasks=planned.tasks, stored=stored, grid=grid, replaced=tuple(each.name for each in planned.replaced)
        )


def run_all(
    session: Session, *, jobs: int = 1, flags: Sequence[str] = (), clock: Callable[[], float] = time.time
) -> Iterator[TaskEnd]:
    """Runs what is queued, each in a temporary copy; also what is queued meanwhile.

    Args:
        session: Where.
        jobs: How many at a time; more than one run in processes of their own.
        flags: Options of `ob exp run` for these processes: how much they say.
        clock: Seconds since the epoch.

    Yields:
        How each task ended: one at a time as it ends, otherwise as the processes end. A failed one does not keep the next
        from being run.

    Raises:
        Interrupted: The user stopped it; what ran waits in the queue again.
    """
    if jobs > 1:
        yield from load("offbranch.api.queue_side_by_side:run_side_by_side")(session, jobs, flags)
        return
    tried: set[str] = set()
    while (found := _next(session, tried)) is not None:
        tried.add(found.ref)
        if isinstance(found, Unreadable):
            session.reporter.emit(Warned(text=f"'{found.ref}' is left in the queue: {found.reason}"))
        elif (end := _run_one(found, session, clock)) is not None:
            yield end


def _next(session: Session, tried: set[str]) -> StoredTask | Unreadable | None:
    with opened(session) as project:
        return next_waiting(need_git(project), project.root, tried)


def _run_one(stored: StoredTask, session: Session, clock: Callable[[], float]) -> TaskEnd | None:
    """Carries out one task, unless somebody else does; the project is not held meanwhile."""
    with opened(session) as project:
        repo = need_git(project)
        try:
            with hold_lease(project.root, stored.task.id) as lock:
                with beginning(project):
                    launch = make_launch(session, project, clock, ())
                    taken = take_task(project, repo, stored, launch, lock)
                end = _carry_out(taken, session)
                forget_lease(project.root, stored.task.id)
                return end
        except (ConflictError, LockedError):
            return None


def _carry_out(taken: Taken, session: Session) -> TaskEnd:
    task = taken.stored.task
    end = TaskEnd(
        name=task.spec.name, id=task.id, baseline=task.spec.baseline, experiment=None, attempt_id=taken.attempt.id
    )
    try:
        made = run_taken(taken).experiment
    except (Interrupted, KeyboardInterrupt):
        session.reporter.emit(TaskPutBack(name=end.name))
        raise
    except OffbranchError as error:
        session.reporter.emit(TaskFailed(name=end.name, cause=error.message, hint=error.hint))
        code = error.exit_code_of_command if isinstance(error, StageFailedError) else None
        return replace(end, cause=error.message or type(error).__name__, exit_code=code)
    push_new(taken.prepared.under.project, made, session)
    return replace(end, experiment=made)


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


def _refuse_too_many(grid: Grid, max_trials: int) -> None:
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
