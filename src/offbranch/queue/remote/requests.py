"""Wishes about tasks that run elsewhere: commits at the Git remote, which the worker that has the task looks at.

A wish is about one holding of a task: one that comes too late does nothing to the next.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.records import record
from offbranch.experiments.refs import request_ref
from offbranch.git.ids import CommitId
from offbranch.git.network import PushState, RemoteUpdate, fetch_refs, push_updates
from offbranch.git.objects import ObjectReader, empty_tree, write_commit
from offbranch.queue.remote.lease import Lease
from offbranch.queue.remote.place import QueueRemote, Spot

FORMAT_VERSION = 1
_SUBJECT = "ob: request "


@record
class RemoteRequest:
    """That a task which runs elsewhere shall end.

    Attributes:
        token: Of the holding that is meant.
        force: At once, without a chance to clear up.
        by: Who wants it: a host.
        at_utc: Since when, in seconds since the epoch.
    """

    task_id: str
    token: str
    force: bool
    by: str
    at_utc: float


def send_request(
    place: QueueRemote, lease: Lease, spot: Spot, *, by: str, force: bool, clock: Callable[[], float] = time.time
) -> None:
    """Leaves the wish that who has a lease end the task; a later one takes the place of an earlier one.

    Raises:
        RemoteError: The remote cannot be reached, or refuses.
    """
    data = {
        "version": FORMAT_VERSION,
        "kind": "kill",
        "task_id": lease.task_id,
        "token": lease.token,
        "force": force,
        "by": by,
        "at_utc": clock(),
    }
    message = f"{_SUBJECT}{lease.task_id}\n\n{json.dumps(data, indent=1)}\n"
    commit = write_commit(place.repo, tree=empty_tree(place.repo), parents=(), message=message)
    update = RemoteUpdate(ref=request_ref(lease.task_id), new=commit, old=spot.request, force=True)
    answer = push_updates(place.repo, place.remote, (update,), place.talk)[update.ref]
    if answer.state is not PushState.DONE:
        raise RemoteError(f"{place.remote.text} did not take the wish: {answer.reason}", hint="run it again")


def fetch_request(place: QueueRemote, task_id: str, commit: CommitId) -> RemoteRequest | None:
    """Returns a wish that the remote has; None if it is gone meanwhile, or cannot be understood.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    found = _read(place, commit)
    if found is None:
        fetch_refs(place.repo, place.remote, (request_ref(task_id),), place.talk)
        found = _read(place, commit)
    return found


def _read(place: QueueRemote, commit: CommitId) -> RemoteRequest | None:
    try:
        with ObjectReader(place.repo) as objects:
            message = objects.commit(commit).message
        data: dict[str, Any] = json.loads(message.partition("\n\n")[2])
        if not message.startswith(_SUBJECT) or data["version"] != FORMAT_VERSION or data["kind"] != "kill":
            return None
        return RemoteRequest(
            task_id=str(data["task_id"]),
            token=str(data["token"]),
            force=bool(data["force"]),
            by=str(data["by"]),
            at_utc=float(data["at_utc"]),
        )
    except (OffbranchError, ValueError, KeyError, TypeError, AttributeError):
        return None
