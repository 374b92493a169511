"""Ctrl-C and SIGTERM while commands run: noted and handed on to them, so that they end first.

The terminal sends Ctrl-C to the commands itself; every other signal is handed on. Handlers, not SIG_IGN: an ignored
signal would be inherited by the commands.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from offbranch.base.errors import Interrupted
from offbranch.base.undisturbed import stopping_signals


class Received(list[int]):
    """Signals that came while commands ran.

    Attributes:
        running: The commands they are for.
        told: Process ids of those that were running when one came.
        hands_on: Whether they hear of it from us; not where it is sent to the whole process group.
    """

    def __init__(self, *, hands_on: bool = True) -> None:
        super().__init__()
        self.hands_on = hands_on
        self.running: list[subprocess.Popen[bytes]] = []
        self.told: set[int] = set()

    def add(self, process: "subprocess.Popen[bytes]") -> None:
        """Adds a command that has just started, and hands on what came before there was anybody to take it."""
        self.running.append(process)
        for number in self:
            self._tell(number, process)

    def take(self, number: int) -> None:
        """Notes a signal and hands it on."""
        # Who has ended by now did so by itself; its exit code is fetched so that it does not look stopped later.
        to = [process for process in self.running if process.poll() is None]
        self.append(number)
        for process in to:
            self._tell(number, process)

    def error(self) -> Interrupted:
        """Returns what the first of them means."""
        return Interrupted(f"stopped by {signal.Signals(self[0]).name}")

    def _tell(self, number: int, process: "subprocess.Popen[bytes]") -> None:
        self.told.add(process.pid)
        if self.hands_on and not (number == signal.SIGINT and terminal_sent_it()):
            process.send_signal(number)


@contextmanager
def signals_recorded(received: Received) -> Iterator[Received]:
    """Keeps Ctrl-C, SIGTERM and SIGHUP from ending us before the commands have ended."""

    def on_signal(number: int, _frame: object) -> None:
        received.take(number)

    before: list[tuple[int, Callable[[int, Any], Any] | int | None]] = []
    try:
        for number in stopping_signals():
            before.append((number, signal.signal(number, on_signal)))
    except ValueError:  # not the main thread: signals are somebody else's matter
        pass
    try:
        yield received
    finally:
        for restored, handler in before:
            signal.signal(restored, handler)


def terminal_sent_it() -> bool:
    """Tells whether Ctrl-C goes to the commands too, for we all are what the terminal has in its foreground."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
