"""Workers of the queue: starting them in the background, being one, stopping them, and stopping single tasks."""

import time
from collections.abc import Callable, Iterator, Sequence

from offbranch.api.detached import detach
from offbranch.api.queue_offer import NO_WISH, SlotWish, offer_of
from offbranch.api.queue_work import Crew, new_worker_id, work
from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import ConflictError, NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.events import Reporter
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath, join
from offbranch.base.plugins import load
from offbranch.base.processes import host_name, is_alive, this_process
from offbranch.base.records import record, replace
from offbranch.experiments.leases import QUEUE_DIR, end_orphans
from offbranch.experiments.refs import LEASES, lease_ref
from offbranch.git.refs import list_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.offer import Offer
from offbranch.queue.remote_report import may_share
from offbranch.queue.requests import Request, RequestKind, forget_request, read_request, write_request
from offbranch.queue.settle import fate_by_request, leased_attempt, settle
from offbranch.queue.shift import GRACE_S, Shift
from offbranch.queue.slurm_place import has_submissions
from offbranch.queue.store import find_task, read_tasks
from offbranch.queue.task import StoredTask, TaskState
from offbranch.queue.task_end import TaskEnd
from offbranch.queue.workers import (
    StopWish,
    Worker,
    WorkerKind,
    ask_to_stop,
    list_workers,
    worker_log,
)

# A worker in the background that finds nothing to do for so long ends.
IDLE_S = 10.0
_START_S = 30.0
_SUPERVISED_S = 2.0
_LOOK_S = 0.05
_SHARED = "offbranch.api.queue_remote_start"
_WITHDRAW = "offbranch.api.queue_slurm:withdraw_from_slurm"


@record
class Voices:
    """Who speaks in a background worker.

    Attributes:
        worker: Makes the reporter of the worker itself; it may print to stdout, which is its log.
        task: That of its children, whose stdout is the log of the attempt.
    """

    worker: Callable[[], Reporter]
    task: Callable[[], Reporter]


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


def start_workers(request: StartRequest, session: Session, voices: Voices) -> Started:
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
    shift, offer = _shift(request, repo, root), _offer(request, session)
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
    offer = _offer(request, session)
    is_many = offer.n_slots > 1
    shift = replace(shift, apart=is_many, marks=is_many)
    yield from work(session, shift, Crew(kind=WorkerKind.FOREGROUND, n_slots=offer.n_slots, offer=offer))


def stop_workers(session: Session, *, kill: bool = False) -> tuple[Worker, ...]:
    """Lets workers end: when what they run has ended, or with `kill` at once, which takes that out of the queue.

    Returns:
        Those that were there. With `kill` they have gone by now, unless they did not listen.
    """
    with opened(session) as project:
        root = project.root
    workers = list_workers(root)
    for worker in workers:
        ask_to_stop(root, worker.id, StopWish(kill=kill))
    if has_submissions(root):
        load(_WITHDRAW)(session)
    if kill:
        ids = {worker.id for worker in workers}
        _await(lambda: not any(worker.id in ids for worker in list_workers(root)))
    return workers


def kill_tasks(names: Sequence[str], session: Session, *, force: bool = False) -> tuple[str, ...]:
    """Stops tasks that run; they leave the queue, and their attempts are kept as cancelled.

    Args:
        names: Of tasks, or their ids.
        session: Where.
        force: Without giving them time to clear up.

    Returns:
        The names of the tasks.

    Raises:
        NotFoundError: One does not run; nothing has been stopped.
        OffbranchError: One goes on nevertheless.
    """
    with opened(session) as project:
        root, repo = project.root, need_git(project)
    everywhere = _running_tasks(repo, root, names)
    elsewhere = tuple(stored for stored in everywhere if stored.away is not None)
    chosen = tuple(stored for stored in everywhere if stored.away is None)
    now = time.time()
    for stored in chosen:
        attempt_id = next(each.id for each in stored.attempts if each.commit == stored.lease)
        wish = Request(kind=RequestKind.KILL, attempt_id=attempt_id, by=this_process(), at_utc=now, force=force)
        write_request(root, stored.task.id, wish)
    left = {stored.task.id: stored for stored in chosen}
    unsupervised_after = time.monotonic() + _SUPERVISED_S

    def have_ended() -> bool:
        leases = dict(list_refs(repo, LEASES))
        for task_id, stored in tuple(left.items()):
            if leases.get(lease_ref(task_id)) != str(stored.lease):
                del left[task_id]
            elif time.monotonic() > unsupervised_after:
                _end_without_worker(repo, root, stored)
        return not left

    has_ended = _await(have_ended)
    if not has_ended and has_submissions(root) and load(_WITHDRAW)(session, tuple(left), pending_only=False):
        has_ended = _await(have_ended)
    names_left = () if has_ended else tuple(stored.name for stored in left.values())
    if elsewhere:
        names_left += load("offbranch.api.queue_remote_changes:kill_shared")(session, elsewhere, force=force)
    if names_left:
        shown = ", ".join(f"'{name}'" for name in names_left)
        raise OffbranchError(f"{shown} did not end yet", hint="ob queue kill --force")
    return tuple(stored.name for stored in everywhere)


def _shares(repo: GitRepo, project: Project) -> bool:
    """Tells whether the clone shares its queue; where it does not, nothing is loaded for that."""
    if not may_share(repo, project.environment):
        return False
    return load("offbranch.queue.remote_config:read_queue_config")(repo, project.environment).broker is not None


def _offer(request: StartRequest, session: Session) -> Offer:
    return offer_of(request.slots if request.jobs is None else replace(request.slots, jobs=request.jobs), session)


def _end_without_worker(repo: GitRepo, root: AbsPath, stored: StoredTask) -> None:
    """Ends a task of which only commands are left: who ran it was killed, and its worker too."""
    attempt = leased_attempt(repo, stored.task.id)
    wish = None if attempt is None else read_request(root, stored.task.id, attempt.id)
    if attempt is None or wish is None or attempt.process.host != host_name() or is_alive(attempt.process):
        return
    end_orphans(root, stored.task.id, attempt.process.pid)
    settle(repo, root, stored, fate_by_request(stored, wish))
    forget_request(root, stored.task.id)


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


def _running_tasks(repo: GitRepo, root: AbsPath, names: Sequence[str]) -> tuple[StoredTask, ...]:
    tasks = read_tasks(repo, root)
    running = tuple(each for each in tasks.all if each.state is TaskState.RUNNING)
    chosen = []
    for name in names:
        if (found := find_task(running, name)) is None:
            queued = find_task(tasks.queued, name)
            near = did_you_mean(name, [each.name for each in running])
            raise NotFoundError(
                f"'{name}' is not a valid running experiment name",
                hint=near if queued is None else f"it waits in the queue: ob queue remove {name}",
            )
        chosen.append(found)
    return tuple({stored.task.id: stored for stored in chosen}.values())


def _await(is_so: Callable[[], bool]) -> bool:
    """Waits until something is so; False if it is not in the time that who is stopped may take."""
    deadline = time.monotonic() + GRACE_S + 5
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def _be_worker(session: Session, shift: Shift, crew: Crew, voices: Voices) -> None:
    own = replace(session, reporter=voices.worker())
    for _ in work(own, shift, replace(crew, voice=voices.task())):
        pass
