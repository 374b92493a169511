"""Commits beside the command: whatever goes wrong with one checkpoint, nobody waits for ever and the next has its turn."""

import time
from dataclasses import dataclass, field

import pytest

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Event
from offbranch.experiments.checkpoint_chain import LeftOutError, LostError
from offbranch.experiments.checkpoint_committer import Committer, Work
from offbranch.experiments.checkpoint_maker import Made
from offbranch.experiments.events import CheckpointMade
from offbranch.git.ids import CommitId
from projects import Recorder


@dataclass
class Snapshot:
    number: int
    step: int | None = None
    error: Exception | None = None

    def close(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class Maker:
    errors: list[Exception | None]
    is_ended: bool = False

    def make(self, _snapshot: Snapshot, _running: tuple[str, ...], _recorded: tuple[str, ...]) -> Made:
        error = self.errors.pop(0)
        if error is not None:
            raise error
        return Made(commit=CommitId("c" * 40), news=None)

    def end_making(self) -> None:
        self.is_ended = True


@dataclass
class Heard:
    warned: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    n_ended: int = 0

    def ended(self) -> None:
        self.n_ended += 1


class Deaf:
    """Nobody reads what is printed."""

    def emit(self, _event: Event) -> None:
        raise BrokenPipeError


def open_committer(heard: Heard, reporter: Recorder | Deaf) -> Committer:
    return Committer(
        "x",
        reporter,
        time.monotonic,
        warn=heard.warned.append,
        give_up=heard.given_up.append,
        ended=heard.ended,
    )


def commit(committer: Committer, maker: Maker, *snapshots: Snapshot) -> None:
    for snapshot in snapshots:
        committer.commit(Work(maker=maker, snapshot=snapshot, running=(), recorded=(), is_told=True))
        committer.wait()
    committer.close()


@pytest.mark.parametrize(
    "error",
    [OffbranchError("no room"), OSError(28, "no room"), LeftOutError("model.bin"), LostError(), KeyError("mistake")],
)
def test_the_next_has_its_turn(error: Exception) -> None:
    heard, recorder, maker = Heard(), Recorder(), Maker([error, None])
    committer = open_committer(heard, recorder)
    commit(committer, maker, Snapshot(1), Snapshot(2, error=OSError(30, "read-only")))
    assert [event.number for event in recorder.of(CheckpointMade)] == [2]
    assert (committer.made, committer.is_idle, maker.is_ended, heard.n_ended) == (1, True, True, 2)
    assert bool(heard.given_up) is isinstance(error, LostError | KeyError)
    assert len(heard.warned) + len(heard.given_up) == 1
    assert committer.copies_first is isinstance(error, LeftOutError)


def test_nobody_need_read_what_is_printed() -> None:
    heard, maker = Heard(), Maker([None, None])
    committer = open_committer(heard, Deaf())
    commit(committer, maker, Snapshot(1), Snapshot(2))
    assert (committer.made, heard.given_up, maker.is_ended) == (2, [], True)
