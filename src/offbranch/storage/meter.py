"""Counting bytes that several threads move, and telling of them from one."""

import threading

from offbranch.base.events import Progressed, Reporter

_STEP = 4 << 20


class Meter:
    """The bytes of one piece of work.

    Made by the thread that may tell the reporter; the others only count.

    Args:
        what: Names the work.
        total: Bytes in all; None if that is not known.
        reporter: Takes the progress.
    """

    def __init__(self, what: str, total: int | None, reporter: Reporter) -> None:
        self._what, self._total, self._reporter = what, total, reporter
        self._owner = threading.get_ident()
        self._guard = threading.Lock()
        self._done = self._told = 0

    def add(self, n_bytes: int) -> None:
        """Counts bytes; called from any thread."""
        with self._guard:
            self._done += n_bytes
        if self._done - self._told >= _STEP and threading.get_ident() == self._owner:
            self.tell()

    def tell(self) -> None:
        """Tells how far it is; called by the thread that made this."""
        self._told = self._done
        done = self._done if self._total is None else min(self._done, self._total)
        self._reporter.emit(Progressed(what=self._what, done=done, total=self._total, unit="bytes"))
