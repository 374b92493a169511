"""Carrying out queued tasks: in this process, in one child of it, or as a worker with several slots.

A worker forks, and each child does what `carry_out` does. Neither needs the lock of the project: a task is taken by the
lock and the ref of its lease, and only the moment of taking it is kept from whoever removes data.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping

from offbranch.api.queue_carry import begin_and_run, end_without_run
from offbranch.api.queue_manner import Manner, OfError, no_opinion
from offbranch.api.queue_offer import NO_WISH, offer_of
from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import ConflictError, LockedError
from offbranch.base.events import Reporter
from offbranch.base.processes import this_process
from offbranch.base.records import field, record, replace
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.leases import forget_lease, hold_lease
from offbranch.experiments.left_behind import files_left_by
from offbranch.git.ids import TreeId
from offbranch.git.refs import remove_stale_locks
from offbranch.queue.child import Say
from offbranch.queue.requests import forget_request
from offbranch.queue.shift import Around, Shift
from offbranch.queue.slots.device_locks import DeviceLocks
from offbranch.queue.slots.offer import Offer
from offbranch.queue.slots.pool import Slot, SlotPool
from offbranch.queue.store import read_tasks
from offbranch.queue.supervisor import Supervisor
from offbranch.queue.task import StoredTask
from offbranch.queue.task_end import TaskEnd, end_to_words
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
                end = end_without_run(project, repo, stored, clock)
                if end is None:
                    end = begin_and_run(project, repo, stored, replace(manner, session=session), lock, clock)
                forget_request(project.root, stored.task.id)  # the worker may be gone
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
    offer: Offer | None = None,
    fate: OfError = no_opinion,
) -> TaskEnd | None:
    """Carries out one queued task in a child, which is watched over: wishes of others and its limit of time are obeyed.

    Args:
        session: Where.
        task_id: The task.
        slot_env: Variables of its commands; OFFBRANCH_SLOT may be among them.
        kind: What the worker is called for others.
        offer: What it may give to the task; of all that this machine has if None.
        fate: Called in the child: what an error means, unless somebody wished it; None for the usual.

    Returns:
        As `carry_out`; a task that may fail several times has been tried again by then.

    Raises:
        Interrupted: This process was told to stop; the task waits in the queue again.
    """
    end = None
    shift = Shift(only=frozenset((task_id,)), idle_s=0.0)
    crew = Crew(kind=kind, offer=offer, env=slot_env or {}, into_log=True, fate=fate)
    for each in work(session, shift, crew):
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
            say(end_to_words(end))

    def left(attempt: Attempt) -> TreeId | None:
        with opened(session) as project:
            return files_left_by(project, repo, attempt)

    with registered(root, worker):
        remove_stale_locks(repo)
        crew.is_ready()
        around = Around(repo=repo, root=root, carry_out=in_child, left=left, reporter=session.reporter, fate=crew.fate)
        yield from Supervisor(around, worker, shift, pool).work()


def new_worker_id(now_utc: float) -> str:
    """Returns an id for a worker; they sort by time."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_utc)) + f"-{os.urandom(3).hex()}"
