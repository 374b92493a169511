"""Runs shell commands and lets their output through, with a copy in a log.

`CommandRunner` is the seam; `SubprocessRunner` the real one. One command at a time is let through untouched: when our
output is a terminal, it gets a pseudo-terminal of the same size, so its progress bars look as they do without us; otherwise
it gets pipes. Without a log it simply inherits our files. stdin is inherited. Commands side by side are in `pool.py`.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import IO, Any, Protocol

from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.pipeline.channels import (
    Channel,
    copy_size,
    is_same_file,
    is_terminal,
    open_channel,
    read_end,
    write_all,
)
from offbranch.pipeline.signals import Received, signals_recorded

_DRAIN_S = 0.2
_SHELL_OPTIONS = {"bash": ("--noprofile", "--norc"), "zsh": ("--no-rcs",), "fish": ("--no-config",)}


@record
class Ended:
    """A command that has ended.

    Attributes:
        label: The stage it was started for.
        code: Its exit code; negative is the signal that ended it.
        error: Why it does not count, whatever its code: the user stopped it.
    """

    label: str
    code: int
    error: OffbranchError | Interrupted | None = None


class CommandPool(Protocol):
    """Runs commands side by side. Everything is called from the thread that opened it, the main one.

    The output of each goes through line by line, with its label before every line. A signal that the user sends goes to
    all that run; they still have to be waited for. Closing waits for those that nobody waited for.
    """

    @property
    def stopped(self) -> Interrupted | None:
        """That the user has sent a signal: nothing more shall be started. None while not."""
        ...

    def start(self, label: str, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> None:
        """Starts a command; its stdin is empty.

        Raises:
            OffbranchError: The shell could not be started.
        """
        ...

    def wait(self) -> Ended:
        """Returns the next command that has ended; there must be one that runs."""
        ...


class CommandRunner(Protocol):
    """Runs commands, from the main thread: one at a time, or several in a pool."""

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

    def open_pool(self) -> AbstractContextManager[CommandPool]:
        """Opens a pool of commands that may run at the same time."""
        ...


@record
class SubprocessRunner:
    """Runs commands through the user's shell.

    Attributes:
        env: Environment of the process.
        shell: Program, None for /bin/sh.
        log: Takes a copy of all output; None keeps none.
        keep_open: Descriptors the command inherits, so that a lock lives as long as it does.
        prefix: What each command line begins with, e.g. a program that limits it and then becomes it.
        hands_on_signals: False where whoever stops us signals our whole process group.
    """

    env: Mapping[str, str]
    shell: str | None = None
    log: IO[bytes] | None = None
    keep_open: tuple[int, ...] = ()
    prefix: tuple[str, ...] = ()
    hands_on_signals: bool = True

    def run(self, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> int:
        with signals_recorded(Received(hands_on=self.hands_on_signals)) as received:
            if self.log is None:
                code = self._start(command, cwd, env, received).wait()
            else:
                code = self._run_with_log(command, cwd, env, received, self.log)
        if received:
            raise received.error()
        return code

    def open_pool(self) -> AbstractContextManager[CommandPool]:
        pool: AbstractContextManager[CommandPool] = load("offbranch.pipeline.pool:open_pool")(
            self._start, self.log, hands_on_signals=self.hands_on_signals
        )
        return pool

    def _start(
        self, command: str, cwd: AbsPath, env: Mapping[str, str], received: Received, **files: Any
    ) -> "subprocess.Popen[bytes]":
        argv = [*self.prefix, *shell_argv(self.shell, command)]
        try:
            process = subprocess.Popen(argv, cwd=cwd, env={**self.env, **env}, pass_fds=self.keep_open, **files)
        except OSError as error:
            raise OffbranchError(
                f"cannot start '{argv[0]}' in '{cwd}': {error.strerror}",
                hint="check that the directory exists and that SHELL names a program",
            ) from error
        received.add(process)
        return process

    def _run_with_log(
        self, command: str, cwd: AbsPath, env: Mapping[str, str], received: Received, log: IO[bytes]
    ) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        with ExitStack() as stack:
            out = stack.enter_context(_live_channel(1))
            error = out if is_same_file(1, 2) else stack.enter_context(_live_channel(2))
            process = self._start(command, cwd, env, received, stdout=out.theirs, stderr=error.theirs)
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


@contextmanager
def _live_channel(target: int) -> Iterator[Channel]:
    """Gives a channel whose pseudo-terminal, if it is one, follows the size of the terminal; closes our end."""
    with ExitStack() as stack:
        channel = open_channel(target)
        stack.callback(os.close, channel.ours)
        if is_terminal(target):
            before = signal.signal(signal.SIGWINCH, lambda *_: copy_size(target, channel.ours))
            stack.callback(signal.signal, signal.SIGWINCH, before)
        yield channel


def _copy(targets: dict[int, int], process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    """Copies output until all ends are closed; after the command's own end, a daemon it left is not waited for."""
    open_ends = set(targets)
    while open_ends:
        ended = process.poll() is not None
        ready = select.select(open_ends, (), (), _DRAIN_S if ended else 0.5)[0]
        if ended and not ready:
            return
        for end in ready:
            data = read_end(end)
            if not data:
                open_ends.discard(end)
                continue
            log.write(data)
            log.flush()
            write_all(targets[end], data)
