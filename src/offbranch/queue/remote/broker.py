"""The seam to what tells workers that tasks wait: a broker with workers on many machines, or nothing, where all are here.

A broker carries no truth. A message says no more than "look at this task"; it may be lost, doubled or late. What a task is, and
whether it waits, Git alone tells.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from offbranch.base.config_schema import without_password
from offbranch.base.errors import UsageError, did_you_mean
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import as_dict, record
from offbranch.git.ids import CommitId, is_hex
from offbranch.queue.remote.place import is_id

FORMAT_VERSION = 1
EXTRA: Final = "celery"
# Scheme of a url -> what opens it, given (url, name of the queue).
BROKERS: Final[Mapping[str, str]] = {
    "redis": "offbranch.queue.remote.celery_broker:open_celery",
    "rediss": "offbranch.queue.remote.celery_broker:open_celery",
    "sentinel": "offbranch.queue.remote.celery_broker:open_celery",
    "amqp": "offbranch.queue.remote.celery_broker:open_celery",
    "amqps": "offbranch.queue.remote.celery_broker:open_celery",
    "pyamqp": "offbranch.queue.remote.celery_broker:open_celery",
}


@record
class Message:
    """That a task waits.

    Attributes:
        task_id: The task.
        task_commit: Its commit when the message was sent.
        priority: That of the task.
        over: A lease that has not changed for longer than it may: whoever finds that one still there takes it over.
    """

    task_id: str
    task_commit: CommitId
    priority: int = 0
    over: CommitId | None = None


@record
class WorkerThere:
    """A worker that answers.

    Attributes:
        name: What the broker calls it.
        slots: How many tasks it carries out at a time; None where that is not known.
        tasks: Ids of those that it carries out now.
    """

    name: str
    slots: int | None = None
    tasks: tuple[str, ...] = ()


class Broker(Protocol):
    """Tells workers that tasks wait. Used by one thread at a time; each call stands for itself."""

    def send(self, messages: Sequence[Message]) -> int:
        """Announces tasks, in the order given.

        Returns:
            How many messages were sent: none where workers see by themselves what waits.

        Raises:
            RemoteError: The broker cannot be reached; some may have been sent, which does no harm.
        """
        ...

    def n_waiting(self) -> int:
        """Returns how many messages wait that no worker has got.

        Raises:
            RemoteError: The broker cannot be reached.
        """
        ...

    def poke(self, task_ids: Sequence[str]) -> None:
        """Has workers look at once whether somebody wants something of tasks that they carry out; may be lost.

        Raises:
            RemoteError: The broker cannot be reached.
        """
        ...

    def workers(self) -> tuple[WorkerThere, ...]:
        """Returns the workers that answer, by name; those that are busy starting or ending may be missing.

        Raises:
            RemoteError: The broker cannot be reached.
        """
        ...


def open_broker(url: str | None, queue: str, root: AbsPath) -> Broker:
    """Returns a broker; nothing is connected yet.

    Args:
        url: Where; None for the workers of this machine.
        queue: Name of the queue there.
        root: Of the project.

    Raises:
        UsageError: No broker has such a url.
    """
    if url is None:
        made: Broker = load("offbranch.queue.remote.local_broker:LocalBroker")(root)
        return made
    check_url(url)
    opened: Broker = load(BROKERS[url.partition("://")[0]], extra=EXTRA)(url, queue)
    return opened


def check_url(url: str) -> None:
    """Makes sure that a url is that of a broker we know.

    Raises:
        UsageError: It is not.
    """
    scheme, found, rest = url.partition("://")
    if found and rest and scheme in BROKERS:
        return
    known = [f"{each}://" for each in BROKERS]
    hint = did_you_mean(f"{scheme}://", known) if found and scheme not in BROKERS else None
    raise UsageError(
        f"'{without_password(url)}' is not the url of a broker",
        hint=hint or "redis://HOST:6379/0 for Redis, amqp://USER:PASSWORD@HOST:5672// for RabbitMQ",
    )


def message_to_json(message: Message) -> dict[str, Any]:
    """Returns what is sent."""
    return {"version": FORMAT_VERSION, **as_dict(message)}


def message_from_json(data: Mapping[str, Any]) -> Message:
    """Reads what was sent; nothing of it is trusted.

    Raises:
        ValueError: It is no message, or of a later version.
    """
    if data.get("version") != FORMAT_VERSION:
        raise ValueError(f"version {data.get('version')!r} of a message is not known")
    task_id, commit, over = data.get("task_id"), data.get("task_commit"), data.get("over")
    if not isinstance(task_id, str) or not is_id(task_id):
        raise ValueError(f"{task_id!r} is not the id of a task")
    for each in (commit, *(() if over is None else (over,))):
        if not isinstance(each, str) or len(each) not in (40, 64) or not is_hex(each):
            raise ValueError(f"{each!r} is not the id of a commit")
    return Message(
        task_id=task_id,
        task_commit=CommitId(str(commit)),
        priority=int(data.get("priority", 0)),
        over=None if over is None else CommitId(str(over)),
    )
