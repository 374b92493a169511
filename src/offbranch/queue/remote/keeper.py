"""What keeps a lease at the Git remote while its task runs: a process of its own, for a connection may hang for minutes.

It renews the lease, hears wishes about the task and hands them to who supervises it, and ends the run of a task that has been
given to somebody else. It dies with its worker; then the lease is not renewed, and somebody else gets the task.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.files import atomic_write, remove_file
from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import ProcessInfo, this_process
from offbranch.experiments.attempts import attempt_of
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.experiments.refs import held_ref, lease_ref
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import ANY, RefUpdate, list_refs, update_refs
from offbranch.project import Project
from offbranch.queue.child import ChildManner, fork_child
from offbranch.queue.remote.lease import Lease, is_of, renew_lease
from offbranch.queue.remote.place import QueueRemote, Spot, read_spot
from offbranch.queue.remote.progress import Progress
from offbranch.queue.remote.requests import RemoteRequest, fetch_request
from offbranch.queue.requests import Request, RequestKind, write_request

# How often it looks for wishes: so long a kill may take at most, if the broker does not bring word of it.
_LONGEST_LOOK_S = 10.0
_SHORTEST_LOOK_S = 0.2
_POKE_LOOK_S = 0.5
_POKES_DIR = f"{QUEUE_DIR}/pokes"


@contextmanager
def lease_kept(
    place: QueueRemote, root: AbsPath, lease: Lease, open_project: Callable[[], Project] | None = None
) -> Iterator[None]:
    """Keeps a lease for the length of a `with`.

    Args:
        place: Where the lease is.
        root: Of the project that the task runs in, for wishes about it.
        lease: Ours.
        open_project: Opens the project anew, to send checkpoints meanwhile; None to send none.
    """
    path = poke_path(root, lease.task_id)
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        atomic_write(path, b"")
    keeper = fork_child(lambda _: keep(place, root, lease, open_project), ChildManner(apart=True), ())
    try:
        yield
    finally:
        keeper.bury()
        with suppress(OSError):
            remove_file(path)


def poke(root: AbsPath, task_id: str) -> None:
    """Has who keeps the lease of a task in this clone, if anybody, look for wishes now."""
    with suppress(OSError):
        os.utime(poke_path(root, task_id))


def poke_path(root: AbsPath, task_id: str) -> AbsPath:
    """Returns the file that whoever pokes the keeper of a task touches."""
    return join(root, f"{_POKES_DIR}/{task_id}")


def _poked_ns(path: AbsPath) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def keep(
    place: QueueRemote,
    root: AbsPath,
    lease: Lease,
    open_project: Callable[[], Project] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Keeps a lease until it is lost; returns then."""
    look_s = min(_LONGEST_LOOK_S, max(_SHORTEST_LOOK_S, lease.ttl_s / 12))
    renewed = clock()
    told: CommitId | None = None
    progress = None if open_project is None else Progress(open_project, place, clock)
    path = poke_path(root, lease.task_id)
    poked = _poked_ns(path)
    while True:
        left_s = look_s
        while left_s > 0 and _poked_ns(path) == poked:
            sleep(min(left_s, _POKE_LOOK_S))
            left_s -= _POKE_LOOK_S
        poked = _poked_ns(path)
        try:
            spot = read_spot(place, lease.task_id)
            if not _is_ours(place, lease, spot):
                _end_run(place, root, lease, by=this_process(), force=False)
                return
            if spot.request is not None and spot.request != told:
                told = spot.request if _hear(place, root, lease, spot.request) else None
            new = None if progress is None else progress.advance(lease, spot)
            if new is None and clock() - renewed >= lease.ttl_s / 3:
                new = renew_lease(place, lease)
            if new is not None:
                lease, renewed = new, clock()
                update_refs(place.repo, [RefUpdate(ref=held_ref(lease.task_id), new=lease.commit, old=ANY)])
        except RemoteError:
            continue  # cut off: the task goes on, and whether the lease is lost is seen when the remote is back


def _is_ours(place: QueueRemote, lease: Lease, spot: Spot) -> bool:
    return spot.task == lease.task_commit and spot.lease is not None and is_of(place.repo, spot.lease, lease)


def _hear(place: QueueRemote, root: AbsPath, lease: Lease, commit: CommitId) -> bool:
    """Hands on a wish; returns whether there is no more to do about it."""
    request: RemoteRequest | None = fetch_request(place, lease.task_id, commit)
    if request is None or request.token != lease.token:
        return True  # about another holding
    by = ProcessInfo(pid=0, started="", host=request.by, command="ob queue kill")
    return _end_run(place, root, lease, by=by, force=request.force)


def _end_run(place: QueueRemote, root: AbsPath, lease: Lease, *, by: ProcessInfo, force: bool) -> bool:
    """Asks who supervises the task to end it; returns whether it runs yet, so that there is somebody to ask."""
    attempt_id = _running(place, lease.task_id)
    if attempt_id is None:
        return False
    request = Request(kind=RequestKind.KILL, attempt_id=attempt_id, by=by, at_utc=time.time(), force=force)
    with suppress(OSError):
        write_request(root, lease.task_id, request)
    return True


def _running(place: QueueRemote, task_id: str) -> str | None:
    """Returns the attempt that has the task in this clone."""
    own = lease_ref(task_id)
    found = [commit for ref, commit in list_refs(place.repo, own) if ref == own]
    try:
        with ObjectReader(place.repo) as objects:
            attempts = [attempt_of(objects.commit(CommitId(commit)).message) for commit in found]
    except OffbranchError:
        return None
    return next((each.id for each in attempts if each is not None), None)
