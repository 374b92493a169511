"""Room for a task at a worker of a shared queue: Celery's processes share what the worker may give.

Each of them runs one task at a time and knows nothing of the others, so what they share is locked: GPUs and processors by the
locks that all workers of this machine have; the number of a slot, and with it a part of processors and memory, by a lock file.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from offbranch.api.queue_offer import NO_WISH, offer_of
from offbranch.api.session import Session
from offbranch.base.locks import hold_lock, take_lock
from offbranch.base.paths import AbsPath, join
from offbranch.base.records import field, record, replace
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.queue.slots.device_locks import DeviceLocks
from offbranch.queue.slots.offer import Need, Offer, need_of
from offbranch.queue.slots.pool import SlotPool
from offbranch.queue.task import StoredTask

SHARES_DIR = f"{QUEUE_DIR}/shares"
# Who starts Celery's own program says to it alone how many tasks it runs at a time; surely no more than this.
_MOST_SLOTS = 64
_LOOK_S = 0.5
_MOMENT_S = 10.0


@record
class Means:
    """What a worker of a shared queue has.

    Attributes:
        offer: What it may give to all its tasks.
        worker: Its id; its slots are told apart from those of others by it.
        told: Ids of tasks that it has said of that they can never run here.
    """

    offer: Offer
    worker: str
    told: set[str] = field(default_factory=set)


@record
class Room:
    """What a task has that can run now.

    Attributes:
        offer: For a worker of this one task, in one slot.
    """

    offer: Offer


@record
class NoRoom:
    """Why a task does not run here now.

    Attributes:
        reason: Why it never will; empty if others have what it needs.
    """

    reason: str = ""


def usual_means(session: Session) -> Means:
    """Returns those of a worker that was told nothing."""
    return Means(offer=replace(offer_of(NO_WISH, session), n_slots=_MOST_SLOTS), worker="celery")


@contextmanager
def room_for(
    root: AbsPath,
    session: Session,
    stored: StoredTask,
    means: Means,
    wait_s: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Room | NoRoom]:
    """Gives a task what it needs for the length of a `with`, and waits for it for a while.

    Args:
        root: Of the project.
        session: Where.
        stored: The task.
        means: What there is.
        wait_s: How long it may take until others have done with it.
        sleep: Waits.
    """
    offer = replace(means.offer, n_slots=1)
    pool = SlotPool(offer, DeviceLocks(session.environment.slots_dir, root))
    reason = pool.fits_ever(stored)
    if reason is not None:
        yield NoRoom(reason=reason)
        return
    n_parts = _n_parts(means.offer, need_of(offer, stored.task.resources))
    deadline = time.monotonic() + wait_s
    while True:
        parts = _take_parts(root, means, n_parts)
        try:
            # Only whether it could be had: the child that runs the task takes it, so that its commands keep it.
            if parts and (slot := pool.acquire(stored)) is not None:
                pool.release(slot)
                yield Room(offer=replace(offer, first_slot=min(parts)))
                return
        finally:
            for descriptor in parts.values():
                os.close(descriptor)
        if time.monotonic() >= deadline:
            yield NoRoom()
            return
        sleep(_LOOK_S)


def _n_parts(offer: Offer, need: Need) -> int:
    """Returns how many slots' parts of processors and memory a task takes."""
    wanted = [1]
    if need.cpus and offer.n_cpus:
        wanted.append(-(-need.cpus * offer.n_slots // offer.n_cpus))
    if need.memory_bytes and offer.memory_bytes:
        wanted.append(-(-need.memory_bytes * offer.n_slots // offer.memory_bytes))
    return min(offer.n_slots, max(wanted))


def _take_parts(root: AbsPath, means: Means, n_parts: int) -> dict[int, int]:
    """Takes all of them or none; returns their locks by number."""
    taken: dict[int, int] = {}
    os.makedirs(join(root, SHARES_DIR), exist_ok=True)
    with hold_lock(join(root, f"{SHARES_DIR}/{means.worker}.lock"), wait_s=_MOMENT_S):
        for number in range(1, means.offer.n_slots + 1):
            if len(taken) == n_parts:
                break
            descriptor = take_lock(join(root, f"{SHARES_DIR}/{means.worker}-{number}.lock"), None)
            if descriptor is not None:
                taken[number] = descriptor
        if len(taken) < n_parts:
            for descriptor in taken.values():
                os.close(descriptor)
            return {}
    return taken


def forget_shares(root: AbsPath, worker: str) -> None:
    """Removes the lock files of a worker that has ended."""
    try:
        names = os.listdir(join(root, SHARES_DIR))
    except OSError:
        return
    for name in names:
        if name == f"{worker}.lock" or name.startswith(f"{worker}-"):
            try:
                os.unlink(join(root, f"{SHARES_DIR}/{name}"))
            except OSError:
                continue
