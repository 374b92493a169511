"""Commands side by side: started and waited for by the main thread, read by one thread of its own.

That thread reads all output as it comes, so that no command has to wait while the main thread takes the results of another
into the cache; it cuts the output into lines, marks each with the label of its command, and writes it to the log. What the
user sees is written by the main thread, in `wait`, so it never runs into a message of ours.
"""

import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from offbranch.base.errors import Interrupted
from offbranch.base.paths import AbsPath
from offbranch.base.records import positional_record
from offbranch.pipeline.channels import Channel, is_same_file, open_channel, read_end, write_all
from offbranch.pipeline.marked_lines import Lines
from offbranch.pipeline.runner import Ended
from offbranch.pipeline.signals import Received, signals_recorded

_WAITING = 1 << 10  # chunks read but not shown yet, before commands have to wait: 64 MB at most
_DRAIN_S = 0.2
_MOMENT_S = 0.02
_SOON_S = 0.05
_LOOK_S = 0.5


@positional_record
class _Printed:
    target: int
    text: bytes


class _Command:
    """One command that runs: its process and the ends its output comes from."""

    def __init__(self, label: str, process: "subprocess.Popen[bytes]", channels: Iterable[Channel]) -> None:
        self.label = label
        self.process = process
        self.targets = {channel.ours: channel.target for channel in channels}
        # One for each end: half a line on stderr must not end up in the middle of one on stdout.
        self.lines = {end: Lines(label) for end in self.targets}


_Event = _Printed | _Command | OSError


class SubprocessPool:
    """Implements `CommandPool`; made by `open_pool`."""

    def __init__(
        self, start: Callable[..., "subprocess.Popen[bytes]"], log: IO[bytes] | None, *, hands_on_signals: bool
    ) -> None:
        self._start = start
        self._received = Received(hands_on=hands_on_signals)
        self._signals = ExitStack()
        self._running: dict[str, _Command] = {}
        self._events: queue.Queue[_Event] = queue.Queue(_WAITING)
        self._pump = _Pump(self._events, log)
        self._is_unheard = False

    @property
    def stopped(self) -> Interrupted | None:
        return self._received.error() if self._received else None

    def start(self, label: str, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> None:
        if not self._running:
            # Only while something runs: at all other times Ctrl-C ends us as it always does.
            self._signals.enter_context(signals_recorded(self._received))
        try:
            process, channels = self._open(label, command, cwd, env)
        except BaseException:
            if not self._running:
                self._signals.close()
            raise
        started = _Command(label, process, channels)
        self._running[label] = started
        self._pump.watch(started)

    def wait(self) -> Ended:
        sys.stdout.flush()
        sys.stderr.flush()
        while True:
            event = self._events.get()
            if isinstance(event, _Printed):
                self._show(event)
            elif isinstance(event, OSError):
                raise event
            else:
                return self._ended(event)

    def close(self) -> None:
        """Waits for what still runs."""
        while self._running:
            with suppress(OSError):
                self.wait()
        self._pump.close()

    def _open(
        self, label: str, command: str, cwd: AbsPath, env: Mapping[str, str]
    ) -> "tuple[subprocess.Popen[bytes], set[Channel]]":
        with ExitStack() as theirs, ExitStack() as ours:
            channels = []
            for target in (1,) if is_same_file(1, 2) else (1, 2):
                channel = open_channel(target, less=len(label) + 3)
                channels.append(channel)
                theirs.callback(os.close, channel.theirs)
                ours.callback(os.close, channel.ours)
            files = {"stdin": subprocess.DEVNULL, "stdout": channels[0].theirs, "stderr": channels[-1].theirs}
            process = self._start(command, cwd, env, self._received, **files)
            ours.pop_all()  # they belong to the thread now
            return process, set(channels)

    def _show(self, printed: _Printed) -> None:
        if not self._is_unheard:
            try:
                write_all(printed.target, printed.text)
            except OSError:  # the terminal is gone: the commands go on, their output is in the log
                self._is_unheard = True

    def _ended(self, command: _Command) -> Ended:
        code = command.process.wait()
        self._received.running.remove(command.process)
        del self._running[command.label]
        if not self._running:
            self._signals.close()
        # Of the terminal's own Ctrl-C a command may have died before we heard of it.
        was_stopped = command.process.pid in self._received.told or bool(self._received and not 0 <= code <= 128)
        return Ended(label=command.label, code=code, error=self.stopped if was_stopped else None)


@contextmanager
def open_pool(
    start: Callable[..., "subprocess.Popen[bytes]"], log: IO[bytes] | None, *, hands_on_signals: bool = True
) -> Iterator[SubprocessPool]:
    """Opens a pool; leaving it waits for what still runs.

    Args:
        start: Starts a process: command, directory, variables, who hands on signals, files.
        log: Takes a copy of every line.
        hands_on_signals: Whether commands hear from us of a signal that we get.
    """
    pool = SubprocessPool(start, log, hands_on_signals=hands_on_signals)
    try:
        yield pool
    finally:
        pool.close()


class _Pump:
    """The thread that reads. It touches descriptors, the log and the queue, nothing else of ours."""

    def __init__(self, events: "queue.Queue[_Event]", log: IO[bytes] | None) -> None:
        self._events = events
        self._log = log
        self._new: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._bell, self._ring = os.pipe()
        self._thread = threading.Thread(target=self._work, name="output of commands", daemon=True)
        self._thread.start()

    def watch(self, command: _Command) -> None:
        """Begins to read a command."""
        self._new.put(command)
        os.write(self._ring, b"\0")

    def close(self) -> None:
        """Ends the thread; nothing runs any more."""
        self._new.put(None)
        os.write(self._ring, b"\0")
        self._thread.join()
        os.close(self._bell)
        os.close(self._ring)

    def _work(self) -> None:
        watched: list[_Command] = []
        while True:
            ended = [command for command in watched if command.process.poll() is not None]
            ends = {end: command for command in watched for end in command.targets}
            ready = select.select([self._bell, *ends], (), (), _patience(watched, ended))[0]
            for end in ready:
                if end != self._bell:
                    self._read(ends[end], end)
            for command in ended:
                # A daemon that holds its output open is not waited for.
                if not any(end in ready for end in command.targets):
                    self._finish(command)
                    watched.remove(command)
            if self._bell in ready:
                os.read(self._bell, 1)
                new = self._new.get()
                if new is None:
                    return
                watched.append(new)

    def _read(self, command: _Command, end: int) -> None:
        data = read_end(end)
        if data:
            self._show(command.targets[end], command.lines[end].take(data))
        else:
            self._close_end(command, end)

    def _finish(self, command: _Command) -> None:
        for end in tuple(command.targets):
            self._close_end(command, end)
        self._events.put(command)

    def _close_end(self, command: _Command, end: int) -> None:
        self._show(command.targets.pop(end), command.lines.pop(end).end())
        os.close(end)
        if not command.targets:
            # Most have ended a moment later, and to look again at once costs less than to wait for the next round.
            with suppress(subprocess.TimeoutExpired):
                command.process.wait(_MOMENT_S)

    def _show(self, target: int, text: bytes) -> None:
        if not text:
            return
        try:
            if self._log is not None:
                self._log.write(text)
                self._log.flush()
        except OSError as error:
            self._log = None
            self._events.put(error)
        self._events.put(_Printed(target, text))


def _patience(watched: Iterable[_Command], ended: Iterable[_Command]) -> float:
    """Returns how many seconds to wait for output before the processes are looked at again."""
    if any(not command.targets for command in ended):
        return 0.0
    if any(not command.targets for command in watched):
        return _SOON_S  # its output is closed: it is about to end
    return _DRAIN_S if list(ended) else _LOOK_S
