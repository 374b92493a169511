"""The workers of this machine as a broker: they look at the refs themselves, so there is nothing to send. Loaded by name."""

from collections.abc import Sequence

from offbranch.base.paths import AbsPath
from offbranch.queue.remote.broker import Message, WorkerThere
from offbranch.queue.workers import list_workers


class LocalBroker:
    """A `Broker` without messages."""

    def __init__(self, root: AbsPath) -> None:
        self._root = root

    def send(self, messages: Sequence[Message]) -> int:
        """See `Broker.send`."""
        return 0

    def n_waiting(self) -> int:
        """See `Broker.n_waiting`."""
        return 0

    def poke(self, task_ids: Sequence[str]) -> None:
        """See `Broker.poke`."""

    def workers(self) -> tuple[WorkerThere, ...]:
        """See `Broker.workers`."""
        return tuple(
            WorkerThere(
                name=each.id,
                slots=len(each.slots),
                tasks=tuple(slot.task_id for slot in each.slots if slot.task_id is not None),
            )
            for each in list_workers(self._root)
        )
