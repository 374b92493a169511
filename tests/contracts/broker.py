"""What every `Broker` must do. Subclass it, and give `make`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from offbranch.git.ids import CommitId
from offbranch.queue.remote.broker import Broker, Message


def message(number: int, priority: int = 0) -> Message:
    return Message(task_id=f"20260101-00000{number}-abc123", task_commit=CommitId("a" * 40), priority=priority)


class BrokerContract(ABC):
    @abstractmethod
    def make(self, tmp_path: Path) -> Broker:
        """Returns a broker that nobody works for and nothing was sent to."""

    @pytest.fixture
    def broker(self, tmp_path: Path) -> Iterator[Broker]:
        yield self.make(tmp_path)

    def test_nothing_is_there_at_first(self, broker: Broker) -> None:
        assert broker.n_waiting() == 0
        assert broker.workers() == ()
        assert broker.send([]) == 0
        assert broker.n_waiting() == 0

    def test_what_was_sent_waits(self, broker: Broker) -> None:
        n_sent = broker.send([message(1), message(2)])
        assert broker.n_waiting() == n_sent
        assert broker.n_waiting() == n_sent

    def test_the_same_may_be_sent_again(self, broker: Broker) -> None:
        n_sent = broker.send([message(1)]) + broker.send([message(1), message(1)])
        assert broker.n_waiting() == n_sent

    def test_a_poke_that_nobody_hears_changes_nothing(self, broker: Broker) -> None:
        n_sent = broker.send([message(1)])
        broker.poke([message(1).task_id, message(2).task_id])
        assert broker.n_waiting() == n_sent
