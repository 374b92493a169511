"""One line on the terminal that counts: shown after a second, a few times a second, and wiped before anything else."""

from collections.abc import Callable
from typing import TextIO

from offbranch.base.events import Progressed

PATIENCE_S = 1.0
INTERVAL_S = 0.1
_UNITS = ("B", "kB", "MB", "GB", "TB")


class ProgressLine:
    """The counter of the work that is going on.

    Args:
        stream: A terminal.
        clock: Seconds, monotonic.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float]) -> None:
        self.stream = stream
        self.clock = clock
        self._what = ""
        self._began = self._shown = 0.0
        self._is_visible = False

    def show(self, event: Progressed) -> None:
        """Counts on; writes only what is due."""
        now = self.clock()
        if event.what != self._what:
            self.clear()
            self._what, self._began, self._shown = event.what, now, 0.0
        is_last = event.total is not None and event.done >= event.total
        if is_last:
            self.clear()
            self._what = ""
        elif now - self._began >= PATIENCE_S and now - self._shown >= INTERVAL_S:
            self.stream.write(f"\r\x1b[K{progress_text(event)}")
            self.stream.flush()
            self._shown, self._is_visible = now, True

    def clear(self) -> None:
        """Wipes the line."""
        if self._is_visible:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
            self._is_visible = False


def progress_text(event: Progressed) -> str:
    """Returns the state of a piece of work in one short line."""
    show = size_text if event.unit == "bytes" else str
    of_total = "" if event.total is None else f" of {show(event.total)}"
    unit = "" if event.unit == "bytes" else f" {event.unit}"
    share = f" ({100 * event.done // event.total} %)" if event.total else ""
    return f"{event.what}: {show(event.done)}{of_total}{unit}{share}"


def size_text(size_bytes: int) -> str:
    """Returns a size for people, in powers of 1000."""
    value = float(size_bytes)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")
