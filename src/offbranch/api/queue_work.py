"""Carrying out queued tasks: in this process, in one child of it, or as a worker with several slots.

A worker forks, and each child does what `carry_out` does. Neither needs the lock of the project: a task is taken by the
lock and the ref of its lease, and only the moment of taking it is kept from whoever removes data.
"""

import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping

from offbranch.api.exp import push_new
from offbranch.api.queue_manner import Manner, OfError, no_opinion, task_launch
from offbranch.api.queue_offer import NO_WISH, offer_of
from offbranch.api.session import Session, beginning, need_git, opened
from offbranch.base.errors import ConflictError, Interrupted, LockedError, OffbranchError, StageFailedError
from offbranch.base.events import Reporter
from offbranch.base.locks import LockFile
from offbranch.base.paths import join
from offbranch.base.processes import this_process
from offbranch.base.records import field, record, replace
from offbranch.experiments.attempts import log_of
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.leases import forget_lease, hold_lease
from offbranch.experiments.left_behind import files_left_by
from offbranch.experiments.underway import Fate, Launch, fate_of
from offbranch.git.ids import TreeId
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.child import Say
from offbranch.queue.device_locks import DeviceLocks
from offbranch.queue.events import TaskCancelled, TaskFailed, TaskPutBack
from offbranch.queue.limits import memory_cause
from offbranch.queue.offer import Offer
from offbranch.queue.requests import read_request
from offbranch.queue.settle import (
    MAX_LOST,
    complete,
    end_of,
    fate_by_request,
    may_fail_again,
    n_lost,
    published,
    settle_lost,
)
from offbranch.queue.shift import Around, Shift
from offbranch.queue.slots import Slot, SlotPool
from offbranch.queue.store import read_tasks
from offbranch.queue.supervisor import Supervisor
from offbranch.queue.take import Taken, run_taken, take_task
from offbranch.queue.task import StoredTask
from offbranch.queue.task_end import TaskEnd, end_to_json
from offbranch.queue.workers import SlotUse, Worker, WorkerKind, registered


def carry_out(
    session: Session,
    task_id: str,
    *,
    slot_env: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> TaskEnd | None:
    """Carries out one queued task in this process.

    Args:
        session: Where.
        task_id: The task.
        slot_env: Variables of its commands.
        clock: Seconds since the epoch.

    Returns:
        How it ended; one that was stopped, or is to be run again after a failure, is QUEUED. None if it is not in the queue,
        or somebody else carries it out.
    """
    with opened(session) as project:
        tasks = read_tasks(need_git(project), project.root)
    stored = next((each for each in tasks.queued if each.task.id == task_id), None)
    return None if stored is None else carry_out_stored(stored, Manner(session=session, env=slot_env or {}), clock)


def carry_out_stored(stored: StoredTask, manner: Manner, clock: Callable[[], float] = time.time) -> TaskEnd | None:
    """Does the same for a task that has been read."""
    environment = manner.session.environment
    env = {**environment.all, **manner.env}
    session = replace(manner.session, environment=replace(environment, all=env))
    with opened(session) as project:
        repo = need_git(project)
        try:
            with hold_lease(project.root, stored.task.id) as lock:
                end = _end_without_run(project, repo, stored, clock)
                if end is None:
                    end = _begin_and_run(project, repo, stored, replace(manner, session=session), lock, clock)
                forget_lease(project.root, stored.task.id)
                return end
        except (ConflictError, LockedError):
            return None


def run_one(
    session: Session,
    task_id: str,
    *,
    slot_env: Mapping[str, str] | None = None,
    kind: WorkerKind = WorkerKind.FOREGROUND,
    fate: OfError = no_opinion,
) -> TaskEnd | None:
    """Carries out one queued task in a child, which is watched over: wishes of others and its limit of time are obeyed.

    Args:
        session: Where.
        task_id: The task.
        slot_env: Variables of its commands; OFFBRANCH_SLOT may be among them.
        kind: What the worker is called for others.
        fate: Called in the child: what an error means, unless somebody wished it; None for the usual.

    Returns:
        As `carry_out`; a task that may fail several times has been tried again by then.

    Raises:
        Interrupted: This process was told to stop; the task waits in the queue again.
    """
    end = None
    shift = Shift(only=frozenset((task_id,)), idle_s=0.0)
    for each in work(session, shift, Crew(kind=kind, env=slot_env or {}, into_log=True, fate=fate)):
        end = each
    return end


@record
class Crew:
    """What a worker is made of.

    Attributes:
        kind: How it was started.
        n_slots: How many tasks it runs at a time.
        offer: What it may give to them.
        id: Its identity; made up if empty.
        log: Where it says what it does, relative to the project.
        env: Variables of all commands.
        into_log: What children print goes into the logs of the attempts alone.
        voice: Takes what children tell; the reporter of the session if None.
        is_ready: Called when the worker can be seen.
        fate: As of `run_one`.
    """

    kind: WorkerKind
    n_slots: int = 1
    offer: Offer | None = None
    id: str = ""
    log: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    into_log: bool = False
    voice: Reporter | None = None
    is_ready: Callable[[], None] = lambda: None
    fate: OfError = no_opinion


def work(session: Session, shift: Shift, crew: Crew) -> Iterator[TaskEnd]:
    """Is a worker until there is no reason to go on.

    Yields:
        How each run ended.

    Raises:
        Interrupted: SIGINT or SIGTERM came; what ran waits in the queue again.
    """
    with opened(session) as project:
        root, repo = project.root, need_git(project)
    offer = crew.offer or offer_of(NO_WISH, session)
    pool = SlotPool(replace(offer, n_slots=crew.n_slots), DeviceLocks(session.environment.slots_dir, root))
    worker = Worker(
        id=crew.id or new_worker_id(time.time()),
        process=this_process(),
        started_utc=time.time(),
        kind=crew.kind,
        slots=tuple(SlotUse(number=slot.number, label=slot.label, gpus=slot.gpus) for slot in pool.all),
        log=crew.log,
        gpus=None if offer.gpus is None else tuple(device.label for device in offer.gpus),
    )

    def in_child(stored: StoredTask, slot: Slot, say: Say) -> None:
        manner = Manner(
            session=session if crew.voice is None else replace(session, reporter=crew.voice),
            env={**slot.env, **crew.env},
            slot=slot,
            into_log=crew.into_log,
            hands_on_signals=not shift.apart,
            say=say,
            fate=crew.fate,
        )
        end = carry_out_stored(stored, manner)
        if end is not None:
            say(end_to_json(end))

    def left(attempt: Attempt) -> TreeId | None:
        with opened(session) as project:
            return files_left_by(project, repo, attempt)

    with registered(root, worker):
        crew.is_ready()
        around = Around(repo=repo, root=root, carry_out=in_child, left=left, reporter=session.reporter)
        yield from Supervisor(around, worker, shift, pool).work()


def new_worker_id(now_utc: float) -> str:
    """Returns an id for a worker; they sort by time."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_utc)) + f"-{os.urandom(3).hex()}"


def _end_without_run(project: Project, repo: GitRepo, stored: StoredTask, clock: Callable[[], float]) -> TaskEnd | None:
    """Ends a task that is not to be run: its end had only been cut off, or whoever runs it dies each time."""
    if stored.lease is None and not stored.attempts:
        return None
    end = complete(repo, stored)
    if end is None and n_lost(stored) >= MAX_LOST:
        end = settle_lost(repo, project.root, stored, lambda attempt: files_left_by(project, repo, attempt), clock)
    return end


def _begin_and_run(
    project: Project,
    repo: GitRepo,
    stored: StoredTask,
    manner: Manner,
    lock: LockFile,
    clock: Callable[[], float],
) -> TaskEnd:
    decided: list[Fate] = []
    with beginning(project):
        launch = task_launch(project, manner, clock)
        taken = take_task(
            project,
            repo,
            stored,
            launch,
            lock,
            fate=lambda error: _decide(project, stored, launch, error, decided, manner),
            left=lambda attempt: files_left_by(project, repo, attempt),
        )
    manner.say({"attempt_id": taken.attempt.id, "log": taken.attempt.log})
    return _run(taken, manner.session)


def _decide(
    project: Project,
    stored: StoredTask,
    launch: Launch,
    error: BaseException,
    decided: list[Fate],
    manner: Manner,
) -> Fate:
    """Returns what an error means for a task; decided once, for the record and for who is told must hear the same."""
    if not decided:
        request = read_request(project.root, stored.task.id, launch.attempt_id)
        fate = manner.fate(error) or fate_of(error) if request is None else fate_by_request(stored, request)
        if request is None and fate.state is AttemptState.FAILED:
            fate = replace(fate, keeps_task=may_fail_again(stored))
            slot = manner.slot
            if slot is not None and isinstance(error, StageFailedError):
                log = join(project.root, log_of(launch.attempt_id))
                fate = replace(fate, cause=memory_cause(slot.memory, error.message, log) or fate.cause)
        decided.append(fate)
    return decided[0]


def _run(taken: Taken, session: Session) -> TaskEnd:
    stored, attempt_id = taken.stored, taken.attempt.id
    try:
        made = run_taken(taken).experiment
    except (OffbranchError, KeyboardInterrupt) as error:
        return _ended_badly(taken, session, error)
    except OSError as error:  # a full disk, most often
        return _ended_badly(taken, session, error)
    except Exception as error:  # noqa: BLE001 - an edge: a mistake of ours is the end of this task only
        traceback.print_exc()
        return _ended_badly(taken, session, error)
    if (
        not stored.is_shared
    ):  # who has the lease at the Git remote publishes it there, together with the end of the task
        push_new(taken.prepared.under.project, made, session)
    return replace(end_of(stored, attempt_id, Fate(state=AttemptState.SUCCEEDED)), experiment=made)


def _ended_badly(taken: Taken, session: Session, error: BaseException) -> TaskEnd:
    under = taken.prepared.under
    if isinstance(error, (Interrupted, KeyboardInterrupt)) and (made := published(under.repo, taken.stored)):
        # Stopped when everything was done.
        return replace(end_of(taken.stored, taken.attempt.id, Fate(state=AttemptState.SUCCEEDED)), experiment=made)
    fate = under.fate(error)
    name = taken.stored.name
    hint = error.hint if isinstance(error, OffbranchError) else None
    cause = fate.cause or _cause(error)
    if fate.state is AttemptState.FAILED:
        session.reporter.emit(TaskFailed(name=name, cause=cause, hint=hint, is_repeated=fate.keeps_task))
    elif fate.keeps_task:
        session.reporter.emit(TaskPutBack(name=name))
    else:
        session.reporter.emit(TaskCancelled(name=name, cause=cause))
    code = error.exit_code_of_command if isinstance(error, StageFailedError) and not fate.cause else None
    return replace(end_of(taken.stored, taken.attempt.id, fate), cause=cause, exit_code=code, hint=hint)


def _cause(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error) or type(error).__name__
