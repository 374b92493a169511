"""Stopping workers of the queue, and single tasks that run."""

import time
from collections.abc import Callable, Sequence

from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import NotFoundError, OffbranchError, did_you_mean
from offbranch.base.events import Notice
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.processes import host_name, is_alive, this_process
from offbranch.experiments.leases import end_orphans, sweep_lease
from offbranch.experiments.peer_signals import has_peer_queue
from offbranch.experiments.refs import LEASES, lease_ref
from offbranch.git.refs import list_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.requests import Request, RequestKind, forget_request, read_request, write_request
from offbranch.queue.settle import fate_by_request, leased_attempt, settle
from offbranch.queue.shift import GRACE_S
from offbranch.queue.slurm.place import has_submissions
from offbranch.queue.store import find_task, read_tasks
from offbranch.queue.task import StoredTask, TaskState
from offbranch.queue.workers import (
    StopWish,
    Worker,
    ask_to_stop,
    list_workers,
)

_SUPERVISED_S = 2.0
_LOOK_S = 0.05
_WITHDRAW = "offbranch.api.queue_slurm:withdraw_from_slurm"


def stop_workers(session: Session, *, kill: bool = False) -> tuple[Worker, ...]:
    """Lets workers end: when what they run has ended, or with `kill` at once, which takes that out of the queue.

    Returns:
        Those that were there. With `kill` they have gone by now.

    Raises:
        OffbranchError: One is still there although it was to end at once.
    """
    with opened(session) as project:
        root = project.root
    workers = list_workers(root)
    for worker in workers:
        ask_to_stop(root, worker.id, StopWish(kill=kill))
    if has_submissions(root) and (taken_back := load(_WITHDRAW)(session)):
        session.reporter.emit(
            Notice(text=f"Taken back from SLURM, which had not started them: {', '.join(taken_back)}")
        )
    if kill:
        ids = {worker.id for worker in workers}
        if not _await(lambda: not any(worker.id in ids for worker in list_workers(root))):
            deaf = " ".join(str(worker.process.pid) for worker in list_workers(root) if worker.id in ids)
            raise OffbranchError(
                f"a worker did not end: process {deaf}",
                hint=f"it may stand still: 'kill -KILL {deaf}' ends it, and what it runs waits in the queue again",
            )
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
        try:
            everywhere = _running_tasks(repo, root, names)
        except NotFoundError:
            if has_peer_queue(root):
                load("offbranch.queue.peer.tasks:refuse_peers")(project, names)
            raise
    elsewhere = tuple(stored for stored in everywhere if stored.is_away)
    chosen = tuple(stored for stored in everywhere if not stored.is_away)
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


def _end_without_worker(repo: GitRepo, root: AbsPath, stored: StoredTask) -> None:
    """Ends a task of this machine that nobody looks after: its worker was killed, or stands still.

    Who runs it, if that one is still there, has been told by the end of the worker; it may wait for a command that does not
    listen, and then only force helps.
    """
    attempt = leased_attempt(repo, stored.task.id)
    wish = None if attempt is None else read_request(root, stored.task.id, attempt.id)
    if attempt is None or wish is None or attempt.process.host != host_name():
        return
    if is_alive(attempt.process) and not wish.force:
        return
    end_orphans(root, stored.task.id, attempt.process.pid)
    settle(repo, root, stored, fate_by_request(stored, wish))
    forget_request(root, stored.task.id)
    sweep_lease(root, stored.task.id)


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
