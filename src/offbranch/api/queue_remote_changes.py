"""Changes of a shared queue that go to the Git remote at once: of tasks that wait, and ending those that run elsewhere."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from offbranch.api.queue_remote import SharedQueue, need_shared_queue, shared_queue, sync_shared
from offbranch.api.session import Session, opened
from offbranch.base.errors import ConflictError, OffbranchError, RemoteError
from offbranch.base.events import Warned
from offbranch.base.processes import host_name
from offbranch.queue.remote.lease import fetch_lease
from offbranch.queue.remote.place import read_spot, read_there
from offbranch.queue.remote.report import SyncReport
from offbranch.queue.remote.requests import send_request
from offbranch.queue.task import StoredTask

# How long a worker may take to hear of a kill, and the task to end.
_KILL_S = 40.0
_KILL_LOOK_S = 1.0


def kill_shared(session: Session, tasks: Sequence[StoredTask], *, force: bool = False) -> tuple[str, ...]:
    """Has tasks that run elsewhere ended, and waits until they have; returns the names of those that go on nevertheless.

    Raises:
        ConflictError: Nobody has one of them.
        RemoteError: The Git remote cannot be reached.
    """
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        for each in tasks:
            _ask_to_end(shared, each.task.id, each.name, force=force)
        with suppress(RemoteError):  # they look from time to time anyway
            shared.broker.poke([each.task.id for each in tasks])
        deadline, left = time.monotonic() + _KILL_S, tuple(tasks)
        while left and time.monotonic() < deadline:
            time.sleep(_KILL_LOOK_S)
            there = read_there(shared.place)
            left = tuple(each for each in left if each.task.id in there.leases)
        sync_shared(shared, sends=False, announces=False)
        return tuple(each.name for each in left)


def bring_news(session: Session, remote: str | None = None) -> bool:
    """Brings what has happened to a shared queue, before somebody looks at it; that it cannot be reached is only told.

    Args:
        session: Where; nothing is done for a clone that shares no queue.
        remote: Only if the queue is at this Git remote.

    Returns:
        Whether nothing went wrong.
    """
    with opened(session) as project:
        try:
            shared = shared_queue(project, session)
            if shared is None or remote not in (None, shared.config.remote):
                return True
            sync_shared(shared, sends=False, announces=False)
            return True
        except OffbranchError as error:  # what was known before still is
            session.reporter.emit(
                Warned(text=f"the queue could not be brought up to date: {error.message}", hint=error.hint)
            )
            return False


def tell_changes(session: Session) -> SyncReport | None:
    """Sends what was changed in the queue here a moment ago (held, released, of another priority, queued again, removed).

    Returns:
        What came of it; None where the clone shares no queue, or the Git remote cannot be reached, which is told.
    """
    with opened(session) as project:
        shared = shared_queue(project, session)
        if shared is None:
            return None
        try:
            return sync_shared(shared, sends=True, announces=True)
        except OffbranchError as error:
            text = f"it was changed here, but not yet at {shared.place.remote.text}: {error.message}"
            session.reporter.emit(Warned(text=text, hint="ob queue sync does the rest"))
            return None


def withdraw_removed(session: Session) -> None:
    """Takes what was removed here out of the queue at the Git remote; what cannot be reached now is done by the next sync."""
    with opened(session) as project:
        shared = shared_queue(project, session)
        if shared is None:
            return
        try:
            sync_shared(shared, sends=False, announces=False)
        except OffbranchError as error:
            text = f"it was removed here, but not yet at {shared.place.remote.text}: {error.message}"
            session.reporter.emit(Warned(text=text, hint="ob queue sync does the rest"))


def _ask_to_end(
    shared: SharedQueue, task_id: str, name: str, *, force: bool, clock: Callable[[], float] = time.time
) -> None:
    """Leaves the wish that the worker which has a task end it.

    Raises:
        ConflictError: Nobody has it.
        RemoteError: The Git remote cannot be reached.
    """
    spot = read_spot(shared.place, task_id)
    lease = None if spot.lease is None else fetch_lease(shared.place, task_id, spot.lease)
    if spot.task is None or lease is None:
        raise ConflictError(f"'{name}' is not running", hint="ob queue sync brings what is known of it")
    send_request(shared.place, lease, spot, by=host_name(), force=force, clock=clock)
