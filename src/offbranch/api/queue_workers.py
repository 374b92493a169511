"""Workers of the queue: starting them in the background, being one."""

import time
from collections.abc import Callable, Iterator, Sequence

from offbranch.api.detached import detach
from offbranch.api.queue_offer import NO_WISH, SlotWish, offer_of
from offbranch.api.queue_work import Crew, new_worker_id, work
from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import ConflictError, NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.events import NullReporter, Reporter
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath, join
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.remote.shared_signs import may_share
from offbranch.queue.shift import Shift
from offbranch.queue.slots.offer import Offer
from offbranch.queue.store import find_task, read_tasks
from offbranch.queue.task import StoredTask
from offbranch.queue.task_end import TaskEnd
from offbranch.queue.workers import (
    WorkerKind,
    list_workers,
    worker_log,
)

# A worker in the background that finds nothing to do for so long ends.
IDLE_S = 10.0
_START_S = 30.0
_SHARED = "offbranch.api.queue_remote_start"


@record
class Voices:
    """Who speaks in a background worker.

    Attributes:
        worker: Makes the reporter of the worker itself; it may print to stdout, which is its log.
        task: That of its children, whose stdout is the log of the attempt.
    """

    worker: Callable[[], Reporter]
    task: Callable[[], Reporter]


SILENT = Voices(worker=NullReporter, task=NullReporter)


@record
class StartRequest:
    """Which workers are wanted.

    Attributes:
        jobs: Tasks at a time, those of workers that are there already and share out the same GPUs included; if it is not
            given, as many as there are GPUs to share out, otherwise 1.
        slots: What tasks get of the machine.
        names: Only these tasks, by workers of their own that end with them; empty for all.
        keep: They stay also when there is nothing to do.
        auto: Of a shared queue: what comes of all its tasks comes here with its outputs.
    """

    jobs: int | None = None
    slots: SlotWish = NO_WISH
    names: tuple[str, ...] = ()
    keep: bool = False
    auto: bool = False


@record
class Started:
    """What came of it.

    Attributes:
        n_new: New slots: how many tasks more are run at a time.
        worker: The new worker; None if there was no need for one.
        log: What it says, relative to the project.
    """

    n_new: int
    worker: str | None = None
    log: str | None = None


def start_workers(request: StartRequest, session: Session, voices: Voices = SILENT) -> Started:
    """Sees to it that so many tasks are run at a time, by a process in the background that outlives this one.

    It keeps directory and environment of this process, which must have no other threads.

    Raises:
        NotFoundError: A task that is named does not wait.
        OffbranchError: The worker did not come up.
    """
    with opened(session) as project:
        root, repo = project.root, need_git(project)
        if not request.names and _shares(repo, project):
            started: Started = load(f"{_SHARED}:start_shared_worker")(request, session, voices)
            return started
    shift, offer = _shift(request, repo, root), asked_offer(request, session)
    with hold_lock(join(root, f"{QUEUE_DIR}/start.lock"), wait_s=_START_S):
        n_new = _n_missing(offer, shift, root)
        if n_new == 0:
            return Started(n_new=0)
        worker_id = new_worker_id(time.time())
        log = worker_log(worker_id)
        crew = Crew(kind=WorkerKind.BACKGROUND, n_slots=n_new, offer=offer, id=worker_id, log=log, into_log=True)
        if not detach(lambda ready: _be_worker(session, shift, replace(crew, is_ready=ready), voices), join(root, log)):
            raise OffbranchError("the worker did not start", hint=f"its last words are in '{log}'")
    return Started(n_new=n_new, worker=worker_id, log=log)


def be_worker(request: StartRequest, session: Session) -> Iterator[TaskEnd]:
    """Is a worker in the foreground: what the tasks print is shown.

    Yields:
        How each run of a task ended.

    Raises:
        NotFoundError: A task that is named does not wait.
        Interrupted: It was stopped; what ran waits in the queue again.
    """
    with opened(session) as project:
        if not request.names and _shares(need_git(project), project):
            load(f"{_SHARED}:be_shared_worker")(request, session)
            return
        shift = _shift(request, need_git(project), project.root)
    offer = asked_offer(request, session)
    is_many = offer.n_slots > 1
    shift = replace(shift, apart=is_many, marks=is_many)
    yield from work(session, shift, Crew(kind=WorkerKind.FOREGROUND, n_slots=offer.n_slots, offer=offer))


def _shares(repo: GitRepo, project: Project) -> bool:
    """Tells whether the clone shares its queue; where it does not, nothing is loaded for that."""
    if not may_share(repo, project.environment):
        return False
    return load("offbranch.queue.remote.config:read_queue_config")(repo, project.environment).broker is not None


def asked_offer(request: StartRequest, session: Session) -> Offer:
    """Returns what a worker may give that is asked for so.

    Raises:
        UsageError: It makes no sense.
    """
    return offer_of(request.slots if request.jobs is None else replace(request.slots, jobs=request.jobs), session)


def _shift(request: StartRequest, repo: GitRepo, root: AbsPath) -> Shift:
    if request.jobs is not None and request.jobs < 1:
        raise UsageError(f"there cannot be {request.jobs} tasks at a time", hint="1 runs one after the other")
    if not request.names:
        return Shift(idle_s=None if request.keep else IDLE_S)
    if request.keep:
        raise UsageError("with names a worker ends when these tasks have", hint="leave out --keep, or the names")
    waiting = read_tasks(repo, root).queued
    chosen = [_resolve(waiting, name, "waits in the queue") for name in request.names]
    for stored in chosen:
        if stored.is_shared:
            raise ConflictError(
                f"'{stored.name}' has been sent to the workers of a shared queue", hint="ob queue start, without names"
            )
        if stored.task.is_held:
            raise ConflictError(f"'{stored.name}' is held", hint=f"ob queue release {stored.name}")
    return Shift(only=frozenset(stored.task.id for stored in chosen), idle_s=0.0)


def _n_missing(offer: Offer, shift: Shift, root: AbsPath) -> int:
    """Returns how many slots are to be added."""
    if shift.only is not None:
        return min(offer.n_slots, len(shift.only))
    gpus = None if offer.gpus is None else tuple(device.label for device in offer.gpus)
    there = (
        worker
        for worker in list_workers(root)
        if worker.kind is WorkerKind.BACKGROUND and not worker.stopping and worker.gpus == gpus
    )
    return max(0, offer.n_slots - sum(len(worker.slots) for worker in there))


def _resolve(tasks: Sequence[StoredTask], name: str, what: str) -> StoredTask:
    found = find_task(tasks, name)
    if found is None:
        hint = did_you_mean(name, [each.name for each in tasks]) or "ob queue status lists all"
        raise NotFoundError(f"no task '{name}' {what}", hint=hint)
    return found


def _be_worker(session: Session, shift: Shift, crew: Crew, voices: Voices) -> None:
    own = replace(session, reporter=voices.worker())
    for _ in work(own, shift, replace(crew, voice=voices.task())):
        pass
