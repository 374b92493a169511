"""Commits what was held for checkpoints, one after the other, in a thread of its own: the command goes on meanwhile.

Who waits for it to be idle never waits for ever: whatever goes wrong with one, it is let go of and the next has its turn.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Reporter
from offbranch.base.records import record
from offbranch.base.undisturbed import undisturbed
from offbranch.experiments.checkpoint_chain import LeftOutError, LostError
from offbranch.experiments.events import CheckpointMade
from offbranch.pipeline.stage import Stage


@record
class Work:
    """One checkpoint that is to be committed.

    Attributes:
        maker: Makes it.
        snapshot: What is held.
        running: All stages whose commands run, or have ended and nothing is recorded of them yet.
        recorded: Addresses of stages that have come to their end, and are recorded.
        is_told: Whether the user is told, whatever else is said of them.
    """

    maker: Any
    snapshot: Any
    running: tuple[Stage, ...]
    recorded: tuple[str, ...]
    is_told: bool


class Committer:
    """Of one run; the thread is started for the first.

    Attributes:
        made: How many there are.
        cost_s: What committing has taken.
        recorded: Addresses of stages whose end the newest has.
        copies_first: A file was changed although it was held: from now on all are copied before the command goes on.

    Args:
        name: Of the experiment.
        warn: Says what went wrong.
        give_up: Says why there will be no more of them.
        ended: Called after each, from the thread.
    """

    def __init__(
        self,
        name: str,
        reporter: Reporter,
        clock: Callable[[], float],
        *,
        warn: Callable[[str], None],
        give_up: Callable[[str], None],
        ended: Callable[[], None],
    ) -> None:
        self.made = 0
        self.cost_s = 0.0
        self.recorded: frozenset[str] = frozenset()
        self.copies_first = False
        self._name, self._reporter, self._clock = name, reporter, clock
        self._warn, self._give_up, self._ended = warn, give_up, ended
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._idle = threading.Event()
        self._idle.set()

    @property
    def is_idle(self) -> bool:
        """Whether everything is committed."""
        return self._idle.is_set()

    def wait(self) -> None:
        """Returns when it is idle."""
        self._idle.wait()

    def commit(self, work: Work) -> None:
        """Takes what is to be committed; it must be idle.

        Raises:
            RuntimeError: The system gives us no thread; the snapshot was let go of.
        """
        self._idle.clear()
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._commit_all, name="commits", daemon=True)
                with undisturbed():
                    thread.start()
                self._thread = thread
        except BaseException:
            work.snapshot.close()
            self._idle.set()
            raise
        self._queue.put(work)

    def close(self) -> None:
        """Ends the thread; what is under way is finished."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _commit_all(self) -> None:
        maker = None
        while (work := self._queue.get()) is not None:
            maker = work.maker
            began_s = self._clock()
            try:
                self._commit(work)
            except Exception as error:  # noqa: BLE001 - an edge: a mistake of ours is no reason to stop a run
                self._give_up(f"no more checkpoints are made: {error!r}")
            finally:
                with suppress(OSError):  # a copy that cannot be removed from a cache that has become read-only
                    work.snapshot.close()
                self.cost_s += self._clock() - began_s
                self._idle.set()
                self._ended()
        if maker is not None:
            maker.end_making()

    def _commit(self, work: Work) -> None:
        try:
            made = work.maker.make(work.snapshot, work.running, work.recorded)
        except LeftOutError as error:
            self.copies_first = True
            self._warn(f"a checkpoint is left out: '{error}' was changed while it was copied")
        except LostError:
            self._give_up("no more checkpoints are made: this run has been taken over or removed by somebody else")
        except (OffbranchError, OSError) as error:
            self._warn(f"a checkpoint could not be made: {reason_of(error)}")
        else:
            self.made += 1
            self.recorded = frozenset(work.recorded)
            if made.news:
                self._warn(f"{made.news}; its checkpoints are kept with the attempt")
            event = CheckpointMade(
                name=self._name,
                commit=made.commit,
                number=work.snapshot.number,
                step=work.snapshot.step,
                is_told=work.is_told,
            )
            with suppress(OSError):  # nobody reads what we print: the main thread finds out
                self._reporter.emit(event)


def reason_of(error: Exception) -> str:
    """Returns what an error says, in one line."""
    if isinstance(error, OffbranchError):
        return error.message
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)
