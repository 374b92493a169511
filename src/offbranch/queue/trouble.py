"""Errors of a worker while it looks for tasks and begins them: borne for a while, for most pass."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Reporter, Warned

_PAUSE_S = 0.2
_MOST = 6


class Trouble:
    """What a worker has met since it last succeeded: a Git that was killed, a machine without room for another process."""

    def __init__(self, reporter: Reporter, clock: Callable[[], float] = time.monotonic) -> None:
        self._reporter = reporter
        self._clock = clock
        self._n = 0
        self._until_s = 0.0

    @property
    def is_there(self) -> bool:
        """Whether the last attempt failed, so that nothing is known."""
        return self._n > 0

    @property
    def is_to_be_waited_for(self) -> bool:
        """Whether it is too early for another attempt; the time grows with each."""
        return self.is_there and self._clock() < self._until_s

    @contextmanager
    def borne(self) -> Iterator[None]:
        """Says what goes wrong within a `with`, and lets it pass, unless it has gone wrong too often."""
        try:
            yield
        except (OffbranchError, OSError) as error:
            self._n += 1
            if self._n > _MOST:
                raise
            self._until_s = self._clock() + _PAUSE_S * 2**self._n
            hint = f" ({error.hint})" if isinstance(error, OffbranchError) and error.hint else ""
            self._reporter.emit(Warned(text=f"cannot look for tasks, and tries again: {error}{hint}"))
        else:
            self._n = 0
