"""The lease that a worker has on a task at the Git remote (docs/formats/remote-queue.md): taken, renewed and given back.

It is a ref, changed only from the value that was seen: of several that try, one gets it. Its commit has another id
after each renewal, so whoever sees the same id for longer than `ttl_s`, by a clock of his own, knows that its holder is
cut off or dead, and may take it over from that very id. The holder finds out when he wants to publish: that push
expects the lease too.
"""

import json
import os
from typing import Any

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.files import atomic_write
from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import ProcessInfo, host_name, is_alive, this_process
from offbranch.base.records import as_dict, record, replace
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.experiments.refs import lease_ref
from offbranch.git.ids import CommitId
from offbranch.git.network import PushState, RemoteUpdate, fetch_refs, push_updates
from offbranch.git.objects import ObjectReader, empty_tree, write_commit
from offbranch.git.repository import GitRepo
from offbranch.queue.remote.place import QueueRemote, Spot, read_spot, refuse_without_atomic

FORMAT_VERSION = 1
SUBJECT = "ob: lease "
_CLONE_ID = f"{QUEUE_DIR}/clone-id"


@record
class Lease:
    """Who has a task.

    Attributes:
        task_id, task_commit: The task.
        token: Of this holding, by chance: who knows it holds the lease.
        beat: How often it has been renewed.
        n_lost: How many holders before were lost.
        process: The holder.
        clone: Identity of his clone; a process is only known to be dead by who works in the same one.
        taken_utc: Since when, in seconds since the epoch.
        ttl_s: After so much silence anybody may take it over.
        commit: What the ref points to.
    """

    task_id: str
    task_commit: CommitId
    token: str
    beat: int = 0
    n_lost: int = 0
    process: ProcessInfo
    clone: str
    taken_utc: float
    ttl_s: float
    commit: CommitId | None = None


@record
class Owner:
    """Who wants leases.

    Attributes:
        clone: Identity of the clone.
        ttl_s: What its leases say.
    """

    clone: str
    ttl_s: float


def clone_id(root: AbsPath) -> str:
    """Returns the identity of a clone, made when it is asked for first; a copy of the directory is another one."""
    path = join(root, _CLONE_ID)
    stat = os.stat(root)
    place = f"{stat.st_dev:x}-{stat.st_ino:x}"
    try:
        with open(path, encoding="ascii") as file:
            chance, _, known = file.read().strip().partition(" ")
        if known == place and chance:
            return chance
    except (OSError, ValueError):
        pass
    chance = os.urandom(8).hex()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    atomic_write(path, f"{chance} {place}\n".encode())
    return chance


def take_lease(
    place: QueueRemote, task_id: str, owner: Owner, now_utc: float, *, over: CommitId | None
) -> Lease | None:
    """Tries to get a task.

    Args:
        place: Where.
        task_id: Which.
        owner: Who wants it.
        now_utc: Seconds since the epoch.
        over: A lease that has been seen not to change for longer than it may: it is taken over if it is still there.

    Returns:
        The lease; None if somebody else has the task, or it is not in the queue any more.

    Raises:
        RemoteError: The remote cannot be reached; whether the lease was taken is not known, but the next try will tell.
    """
    spot = read_spot(place, task_id)
    if spot.task is None:
        return None
    before = None if spot.lease is None else fetch_lease(place, task_id, spot.lease)
    if spot.lease is not None and spot.lease != over and not _is_dead(before, owner):
        return None
    lease = Lease(
        task_id=task_id,
        task_commit=spot.task,
        token=os.urandom(8).hex(),
        n_lost=0 if spot.lease is None else before.n_lost + 1 if before is not None else 1,
        process=replace(this_process(), command=""),  # which might name the broker, with a password
        clone=owner.clone,
        taken_utc=now_utc,
        ttl_s=owner.ttl_s,
    )
    lease = _stored(place.repo, lease)
    return lease if _push(place, lease, spot) else None


def renew_lease(place: QueueRemote, lease: Lease) -> Lease | None:
    """Says that the holder lives; returns the lease as it is now, None if it is not his any more.

    Raises:
        RemoteError: The remote cannot be reached; the lease is as it was, or renewed.
    """
    present = read_spot(place, lease.task_id).lease
    if present is None or not is_of(place.repo, present, lease):
        return None
    renewed = next_beat(place.repo, lease)
    return renewed if _push(place, renewed, Spot(lease=present)) else None


def next_beat(repo: GitRepo, lease: Lease) -> Lease:
    """Returns a lease as it is when its holder says once more that he lives; nothing refers to it yet."""
    return _stored(repo, replace(lease, beat=lease.beat + 1))


def is_of(repo: GitRepo, commit: CommitId, lease: Lease) -> bool:
    """Tells whether a commit is a lease of the same holding; one that is not here has been made by somebody else."""
    found = read_lease(repo, commit)
    return found is not None and found.token == lease.token


def read_lease(repo: GitRepo, commit: CommitId) -> Lease | None:
    """Returns the lease that a commit holds; None if it is not here, or is none."""
    try:
        with ObjectReader(repo) as objects:
            message = objects.commit(commit).message
        return replace(lease_from_message(message), commit=commit)
    except (OffbranchError, ValueError):
        return None


def fetch_lease(place: QueueRemote, task_id: str, commit: CommitId) -> Lease | None:
    """Returns a lease that the remote has; None if it is gone meanwhile, or cannot be understood."""
    found = read_lease(place.repo, commit)
    if found is not None:
        return found
    try:
        fetch_refs(place.repo, place.remote, (lease_ref(task_id),), place.talk)
    except RemoteError:
        return None
    return read_lease(place.repo, commit)


def lease_to_message(lease: Lease) -> str:
    """Returns the message of the commit of a lease."""
    data = {"version": FORMAT_VERSION, **as_dict(lease), "process": as_dict(lease.process)}
    del data["commit"]
    return f"{SUBJECT}{lease.task_id}\n\n{json.dumps(data, indent=1)}\n"


def lease_from_message(message: str) -> Lease:
    """Reads it.

    Raises:
        ValueError: It is none, or of a later version.
    """
    if not message.startswith(SUBJECT):
        raise ValueError("not the record of a lease")
    data: dict[str, Any] = json.loads(message.partition("\n\n")[2])
    if data.get("version") != FORMAT_VERSION:
        raise ValueError(f"version {data.get('version')!r} of a lease is not known")
    try:
        return Lease(
            task_id=str(data["task_id"]),
            task_commit=CommitId(str(data["task_commit"])),
            token=str(data["token"]),
            beat=int(data["beat"]),
            n_lost=int(data["n_lost"]),
            process=ProcessInfo(**data["process"]),
            clone=str(data["clone"]),
            taken_utc=float(data["taken_utc"]),
            ttl_s=float(data["ttl_s"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the record of a lease: {error}") from error


def _is_dead(lease: Lease | None, owner: Owner) -> bool:
    """Tells whether the holder is known to be gone, which only who works in the same clone on the same machine can know."""
    return (
        lease is not None
        and lease.clone == owner.clone
        and lease.process.host == host_name()
        and not is_alive(lease.process)
    )


def _stored(repo: GitRepo, lease: Lease) -> Lease:
    return replace(lease, commit=write_commit(repo, tree=empty_tree(repo), parents=(), message=lease_to_message(lease)))


def _push(place: QueueRemote, lease: Lease, seen: Spot) -> bool:
    """Moves the ref from what was seen; where no answer came, what is there now tells.

    Raises:
        RemoteError: Nobody answers.
    """
    update = RemoteUpdate(ref=lease_ref(lease.task_id), new=lease.commit, old=seen.lease, force=True)
    answers = push_updates(place.repo, place.remote, (update,), place.talk, atomic=True)
    refuse_without_atomic(place, answers)  # before a task is run whose end could not be published
    answer = answers[update.ref]
    if answer.state is PushState.DONE:
        return True
    if answer.state is PushState.OUTDATED:
        return False
    present = read_spot(place, lease.task_id).lease
    if present == seen.lease:
        raise RemoteError(f"{place.remote.text} did not take a lease: {answer.reason}", is_transient=True)
    return present == lease.commit
