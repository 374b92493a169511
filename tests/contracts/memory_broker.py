"""A broker in memory: `Broker` for tests."""

from collections.abc import Sequence

from offbranch.base.errors import RemoteError
from offbranch.queue.remote.broker import Message, WorkerThere


class MemoryBroker:
    """Implements `Broker`.

    Attributes:
        messages: What was sent and not taken out by the test.
        is_down: Nobody answers.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.is_down = False

    def send(self, messages: Sequence[Message]) -> int:
        self._check()
        self.messages += messages
        return len(messages)

    def n_waiting(self) -> int:
        self._check()
        return len(self.messages)

    def poke(self, task_ids: Sequence[str]) -> None:
        self._check()

    def workers(self) -> tuple[WorkerThere, ...]:
        self._check()
        return ()

    def _check(self) -> None:
        if self.is_down:
            raise RemoteError("the broker is down", is_transient=True)
