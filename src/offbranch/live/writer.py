"""When lines of metrics go to disk: at the call while that costs little, else together, by a thread, within half a second.

The thread lives only while something waits. It alone takes lines that wait, so neither Ctrl-C (which interrupts the main
thread only) nor a signal handler that logs can lose or repeat one. The calling threads take no lock.
"""

import _thread
import time
from collections.abc import Callable
from typing import Final

from offbranch.live.faults import Faults, is_of_handler
from offbranch.live.table import Table

# One line costs some 15 µs: so many at once at the start, later only where there are fewer than that in a second (2 %).
_BURST: Final = 4000
_RATE: Final = 1000
_WAIT_S: Final = 0.3
_PATIENCE_S: Final = 60.0
# More than that wait only where nothing can be written; then the oldest go.
_MOST_WAITING: Final = 2_000_000


class Writer:
    """Writes the tables of one `Live`.

    Attributes:
        is_deferring: Lines wait for the thread.
        is_awake: The thread is under way, and has not looked yet at what waits.
        is_guest: This is a child of the process that made it: it writes each line at once, and starts no thread.
    """

    __slots__ = ("_also", "_burst", "_faults", "_lock", "_since", "is_awake", "is_deferring", "is_guest", "tables")

    def __init__(self, faults: Faults, also: Callable[[], None]) -> None:
        """Makes a writer.

        Args:
            faults: Is told what cannot be written.
            also: Called by the thread after the lines, for what else may be due; raises nothing.
        """
        self.tables: dict[str, Table] = {}
        self.is_deferring = False
        self.is_awake = False
        self.is_guest = False
        self._faults = faults
        self._also = also
        self._lock = _thread.allocate_lock()
        self._burst = _BURST
        self._since = time.monotonic()

    def write(self, table: Table, row: str) -> None:
        """Writes one line at once if nothing before it waits, else later."""
        if self.is_guest:
            table.rows.append(row)
            self.flush()
            return
        if table.rows or self.is_deferring:
            table.rows.append(row)
        else:
            self._burst -= 1
            if self._burst <= 0:
                self._look_at_rate()
            try:
                table.append(row)
            except (OSError, ValueError) as error:  # a name may be none for a file
                if is_of_handler(error):
                    raise
                table.rows.append(row)
                self.is_deferring = True
                self._faults.tell(f"write '{table.path}'", error)
        if not self.is_awake:
            self.arouse()

    def arouse(self) -> None:
        """Makes the thread look in a moment at what waits; it is started if need be."""
        self.is_awake = True
        try:
            _thread.start_new_thread(self._later, ())
        except RuntimeError:  # the interpreter ends: there are no threads any more
            self.flush()

    def flush_now(self, *, patience_s: float = _PATIENCE_S) -> None:
        """Writes what waits, and returns when it is written; by a thread, because Ctrl-C must not interrupt that.

        Args:
            patience_s: After that it returns all the same, and the thread goes on.
        """
        if not any(table.rows for table in list(self.tables.values())):
            return
        done = _thread.allocate_lock()
        done.acquire()
        try:
            _thread.start_new_thread(self._flush_and_tell, (done,))
        except RuntimeError:
            self.flush()
            return
        done.acquire(timeout=patience_s)

    def flush(self) -> None:
        """Writes what waits, in this thread."""
        if not self._lock.acquire(timeout=_PATIENCE_S):
            return
        try:
            n_rows = sum(self._flush_table(table) for table in list(self.tables.values()))
        finally:
            self._lock.release()
        now = time.monotonic()
        if self.is_deferring and n_rows < _RATE * (now - self._since) and not self._is_waiting():
            self.is_deferring, self._burst = False, _RATE
        self._since = now

    def apart(self, act: Callable[[], None]) -> None:
        """Calls something while the thread writes nothing."""
        if not self._lock.acquire(timeout=_PATIENCE_S):
            return
        try:
            act()
        finally:
            self._lock.release()

    def forked(self) -> None:
        """Begins anew in a child: what waits is its parent's to write, and there is no thread here."""
        self._lock = _thread.allocate_lock()
        self.is_guest, self.is_deferring = True, False
        self.is_awake = True  # so that nobody starts the thread
        for table in self.tables.values():
            table.rows.clear()

    def _later(self) -> None:
        time.sleep(_WAIT_S)
        self.is_awake = False
        self.flush()
        self._also()

    def _flush_and_tell(self, done: _thread.LockType) -> None:
        try:
            self.flush()
        finally:
            done.release()

    def _flush_table(self, table: Table) -> int:
        n_rows = len(table.rows)
        if not n_rows:
            return 0
        try:
            table.append("".join(table.rows[:n_rows]))
        except (OSError, ValueError) as error:
            self._faults.tell(f"write '{table.path}'", error)
            if n_rows > _MOST_WAITING:
                del table.rows[: n_rows // 2]
            return 0
        del table.rows[:n_rows]
        self._faults.is_over(f"write '{table.path}'")
        return n_rows

    def _is_waiting(self) -> bool:
        return any(table.rows for table in list(self.tables.values()))

    def _look_at_rate(self) -> None:
        now = time.monotonic()
        self.is_deferring = now - self._since < _BURST / _RATE
        self._since, self._burst = now, _BURST
