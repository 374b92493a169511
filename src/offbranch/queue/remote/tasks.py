"""Tasks of a shared queue by their commits, as messages name them."""

from contextlib import suppress

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.records import replace
from offbranch.experiments.refs import task_ref
from offbranch.git.ids import CommitId
from offbranch.git.network import fetch_refs
from offbranch.git.objects import ObjectReader
from offbranch.queue.remote.place import QueueRemote
from offbranch.queue.task import StoredTask, task_from_message


def read_stored(place: QueueRemote, task_id: str, commit: CommitId) -> StoredTask | None:
    """Returns a task by its commit; None if that is not here, or is none of a version we know."""
    try:
        with ObjectReader(place.repo) as objects:
            content = objects.commit(commit)
        task = replace(task_from_message(content.message), id=task_id)
    except (OffbranchError, ValueError):
        return None
    return StoredTask(task=task, ref=task_ref(task_id), commit=commit, tree=content.tree)


def fetch_stored(place: QueueRemote, task_id: str, commit: CommitId) -> StoredTask | None:
    """Returns a task, which is fetched if it is not here; None if it is gone, or the remote cannot be reached.

    Raises:
        ValueError: It is none of a version we know.
    """
    found = read_stored(place, task_id, commit)
    if found is not None:
        return found
    with suppress(RemoteError):
        fetch_refs(place.repo, place.remote, (task_ref(task_id),), place.talk)
    try:
        with ObjectReader(place.repo) as objects:
            message = objects.commit(commit).message
    except OffbranchError:
        return None
    task_from_message(message)
    return read_stored(place, task_id, commit)
