"""Runs one shell command and lets its output through untouched, with a copy in a log.

`CommandRunner` is the seam; `SubprocessRunner` the real one. When our output is a terminal, the command gets a
pseudo-terminal of the same size, so its progress bars look as they do without us; otherwise it gets pipes. Without a log
it simply inherits our files. stdin is always inherited.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any, Protocol

from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.base.records import positional_record, record

if sys.platform != "win32":
    import fcntl
    import termios

_DRAIN_S = 0.2
_SHELL_OPTIONS = {"bash": ("--noprofile", "--norc"), "zsh": ("--no-rcs",), "fish": ("--no-config",)}


class CommandRunner(Protocol):
    """Runs commands, one at a time, from the main thread."""

    def run(self, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> int:
        """Runs one shell command to its end.

        Args:
            command: The text for the shell.
            cwd: Directory it runs in.
            env: Variables added to those of the process.

        Returns:
            Its exit code; negative is the signal that ended it.

        Raises:
            Interrupted: The user stopped it (Ctrl-C, SIGTERM); the command has ended by then.
            OffbranchError: The shell could not be started.
        """
        ...


@record
class SubprocessRunner:
    """Runs commands through the user's shell.

    Attributes:
        env: Environment of the process.
        shell: Program, None for /bin/sh.
        log: Takes a copy of all output; None keeps none.
        keep_open: Descriptors the command inherits, so that a lock lives as long as it does.
    """

    env: Mapping[str, str]
    shell: str | None = None
    log: IO[bytes] | None = None
    keep_open: tuple[int, ...] = ()

    def run(self, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> int:
        argv = shell_argv(self.shell, command)
        with _signals_recorded() as received:
            if self.log is None:
                code = self._start(argv, cwd, env, received).wait()
            else:
                code = self._run_with_log(argv, cwd, env, received, self.log)
        if received:
            raise Interrupted(f"stopped by {signal.Signals(received[0]).name}")
        return code

    def _start(
        self, argv: Sequence[str], cwd: AbsPath, env: Mapping[str, str], received: "_Received", **files: Any
    ) -> "subprocess.Popen[bytes]":
        try:
            process = subprocess.Popen(argv, cwd=cwd, env={**self.env, **env}, pass_fds=self.keep_open, **files)
        except OSError as error:
            raise OffbranchError(
                f"cannot start '{argv[0]}' in '{cwd}': {error.strerror}",
                hint="check that the directory exists and that SHELL names a program",
            ) from error
        received.process = process
        for number in received:  # one that came before there was anybody to hand it on to
            received.hand_on(number)
        return process

    def _run_with_log(
        self, argv: Sequence[str], cwd: AbsPath, env: Mapping[str, str], received: "_Received", log: IO[bytes]
    ) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        with ExitStack() as stack:
            out = _channel(1, stack)
            same = _is_same_file(1, 2)
            error = out if same else _channel(2, stack)
            process = self._start(argv, cwd, env, received, stdout=out.theirs, stderr=error.theirs)
            for channel in {out, error}:
                os.close(channel.theirs)
            _copy({channel.ours: channel.target for channel in (out, error)}, process, log)
            return process.wait()


def shell_argv(shell: str | None, command: str) -> list[str]:
    """Returns how a command text is run: the user's shell without its start-up files."""
    if os.name == "nt":
        return ["cmd", "/c", command]
    program = shell or "/bin/sh"
    return [program, *_SHELL_OPTIONS.get(os.path.basename(program), ()), "-c", command]


@positional_record
class _Channel:
    ours: int
    theirs: int
    target: int


def _channel(target: int, stack: ExitStack) -> _Channel:
    if os.isatty(target) and os.name != "nt":
        ours, theirs = os.openpty()
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.OPOST  # the real terminal does that; twice would write \r\r\n
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        _copy_size(target, ours)
        before = signal.signal(signal.SIGWINCH, lambda *_: _copy_size(target, ours))
        stack.callback(signal.signal, signal.SIGWINCH, before)
    else:
        ours, theirs = os.pipe()
    stack.callback(os.close, ours)
    return _Channel(ours, theirs, target)


def _copy_size(terminal: int, pty: int) -> None:
    size = fcntl.ioctl(terminal, termios.TIOCGWINSZ, b"\0" * 8)
    fcntl.ioctl(pty, termios.TIOCSWINSZ, size)


def _copy(targets: dict[int, int], process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    """Copies output until all ends are closed; after the command's own end, a daemon it left is not waited for."""
    open_ends = set(targets)
    while open_ends:
        ended = process.poll() is not None
        ready = select.select(open_ends, (), (), _DRAIN_S if ended else 0.5)[0]
        if ended and not ready:
            return
        for end in ready:
            data = _read(end)
            if not data:
                open_ends.discard(end)
                continue
            log.write(data)
            log.flush()
            _write(targets[end], data)


def _read(end: int) -> bytes:
    try:
        return os.read(end, 1 << 16)
    except OSError:  # EIO: the other side of a pseudo-terminal is closed
        return b""


def _write(target: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(target, data) :]
    except BrokenPipeError:  # `ob exp run | head`: the training goes on, its output is in the log
        pass


def _is_same_file(a: int, b: int) -> bool:
    x, y = os.fstat(a), os.fstat(b)
    return (x.st_dev, x.st_ino, x.st_rdev) == (y.st_dev, y.st_ino, y.st_rdev)


class _Received(list[int]):
    """Signals that came while a command ran, and the command they are for."""

    process: "subprocess.Popen[bytes] | None" = None

    def hand_on(self, number: int) -> None:
        """Sends a signal to the command, unless the terminal has done so."""
        if self.process is not None and not (number == signal.SIGINT and _terminal_sent_it()):
            self.process.send_signal(number)


@contextmanager
def _signals_recorded() -> Any:
    """Keeps Ctrl-C and SIGTERM from ending us before the command has ended.

    The terminal sends Ctrl-C to the command itself; every other signal is handed on. Handlers, not SIG_IGN: an ignored
    signal would be inherited by the command.
    """
    received = _Received()

    def on_signal(number: int, _frame: object) -> None:
        received.append(number)
        received.hand_on(number)

    before: list[tuple[int, Callable[[int, Any], Any] | int | None]] = []
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before.append((number, signal.signal(number, on_signal)))
    except ValueError:  # not the main thread: signals are somebody else's matter
        pass
    try:
        yield received
    finally:
        for restored, handler in before:
            signal.signal(restored, handler)


def _terminal_sent_it() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
