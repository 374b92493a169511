"""Starts processes without the `subprocess` module, whose import costs more than most of our Git commands.

Two ways only: run a program to its end, or keep one with a pipe each way. Where the platform has no `posix_spawn`, the
standard module is loaded instead. Nothing here knows about Git.

A program that may ask the user gets our terminal: it can open it by its name, as a password prompt does, also while its output
goes through our pipes. One that may not ask runs in a session of its own, where there is no terminal to wait for.
"""

import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from offbranch.base.plugins import load
from offbranch.base.records import record

CAN_SPAWN = hasattr(os, "posix_spawnp")
# Python ignores these two; a child that inherits this cannot be ended by a closed pipe.
_DEFAULT_SIGNALS = tuple(getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name))
_CHUNK_BYTES = 1 << 16
_INHERITED = -2


@record
class Finished:
    """A program that has ended.

    Attributes:
        code: Exit code; negative is the signal that ended it.
        out: Its standard output.
        err: Its standard error.
    """

    code: int
    out: bytes
    err: bytes


@record
class Conversation:
    """A program that runs until `close_conversation`; both pipes are binary, nobody reads its standard error."""

    to: BinaryIO
    back: BinaryIO
    wait: Callable[[], object]


@record
class Manner:
    """How a program that talks to others than us is run.

    Attributes:
        may_ask: It gets our standard input and may use our terminal; otherwise it has no terminal at all.
        hear: Gets what it writes to standard error, as it comes.
        silence_s: It is ended when it has said nothing for so long.
    """

    may_ask: bool = False
    hear: Callable[[bytes], object] | None = None
    silence_s: float | None = None


def run_to_end(
    argv: Sequence[str], env: Mapping[str, str], input: bytes | None = None, manner: Manner | None = None
) -> Finished:
    """Runs a program, found on PATH, and returns what it wrote; without input its standard input is empty.

    Raises:
        OSError: It could not be started.
    """
    inherits = manner is not None and manner.may_ask and not input
    if not CAN_SPAWN:
        given = {} if inherits else {"input": input or b""}
        done = load("subprocess:run")(argv, env=dict(env), stdout=-1, stderr=-1, check=False, **given)
        return Finished(code=done.returncode, out=done.stdout, err=done.stderr)
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    in_read, in_write = os.pipe() if input else (_INHERITED if inherits else -1, -1)
    pid = -1
    try:
        is_alone = manner is not None and not manner.may_ask
        pid = _spawn(argv, env, in_read, out_write, err_write, is_alone=is_alone)
    finally:
        _close(in_read, out_write, err_write)
        if pid < 0:
            _close(in_write, out_read, err_read)
    try:
        hear = manner.hear if manner is not None else None
        silence_s = manner.silence_s if manner is not None else None
        out, err = _exchange(in_write, out_read, err_read, input or b"", hear, silence_s)
    except _SilentError:
        _end(pid)
        return Finished(code=-signal.SIGTERM, out=b"", err=f"fatal: no answer for {silence_s:g} s\n".encode())
    except BaseException:
        _end(pid)
        raise
    return Finished(code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out=out, err=err)


def open_conversation(argv: Sequence[str], env: Mapping[str, str]) -> Conversation:
    """Starts a program to talk with."""
    if not CAN_SPAWN:
        popen = load("subprocess:Popen")(argv, env=dict(env), stdin=-1, stdout=-1, stderr=-3)
        return Conversation(to=popen.stdin, back=popen.stdout, wait=popen.wait)
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    pid = -1
    try:
        pid = _spawn(argv, env, in_read, out_write, -1)
    finally:
        _close(in_read, out_write)
        if pid < 0:
            _close(in_write, out_read)
    return Conversation(
        to=os.fdopen(in_write, "wb"),
        back=os.fdopen(out_read, "rb", _CHUNK_BYTES),
        wait=lambda: os.waitpid(pid, 0),
    )


def close_conversation(talk: Conversation) -> None:
    """Ends the program by closing its input, and waits for it."""
    for stream in (talk.to, talk.back):
        try:
            stream.close()
        except BrokenPipeError:
            pass
    talk.wait()


def _spawn(
    argv: Sequence[str], env: Mapping[str, str], stdin: int, stdout: int, stderr: int, *, is_alone: bool = False
) -> int:
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2) if stderr >= 0 else _open_null(2),
    ]
    if stdin != _INHERITED:
        actions.insert(0, (os.POSIX_SPAWN_DUP2, stdin, 0) if stdin >= 0 else _open_null(0))
    if is_alone:
        try:
            return os.posix_spawnp(
                argv[0], list(argv), env, file_actions=actions, setsigdef=_DEFAULT_SIGNALS, setsid=True
            )
        except NotImplementedError:  # an old C library: it keeps the terminal
            pass
    return os.posix_spawnp(argv[0], list(argv), env, file_actions=actions, setsigdef=_DEFAULT_SIGNALS)


def _open_null(fd: int) -> tuple[int, int, str, int, int]:
    return (os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0)


class _SilentError(Exception):
    pass


def _exchange(
    stdin: int,
    stdout: int,
    stderr: int,
    data: bytes,
    hear: Callable[[bytes], object] | None,
    silence_s: float | None,
) -> tuple[bytes, bytes]:
    """Writes and reads at the same time, so that neither side waits for the other; closes the three pipes."""
    poll = select.poll()
    open_pipes = {stdout, stderr}
    parts: dict[int, list[bytes]] = {stdout: [], stderr: []}
    rest = memoryview(data)
    try:
        for fd in parts:
            poll.register(fd, select.POLLIN)
        if stdin >= 0:
            open_pipes.add(stdin)
            os.set_blocking(stdin, False)
            poll.register(stdin, select.POLLOUT)
        while open_pipes:
            ready = poll.poll(None if silence_s is None else silence_s * 1000)
            if not ready:
                raise _SilentError
            for fd, _ in ready:
                if fd == stdin:
                    rest = _write_some(fd, rest)
                    ended = not rest
                else:
                    chunk = os.read(fd, _CHUNK_BYTES)
                    parts[fd].append(chunk)
                    if hear is not None and fd == stderr:
                        hear(chunk)
                    ended = not chunk
                if ended:
                    poll.unregister(fd)
                    open_pipes.discard(fd)
                    os.close(fd)
    finally:
        _close(*open_pipes)
    return b"".join(parts[stdout]), b"".join(parts[stderr])


def _write_some(fd: int, rest: memoryview) -> memoryview:
    try:
        return rest[os.write(fd, rest[:_CHUNK_BYTES]) :]
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        # The program ended early; its exit code and its last words say why.
        return rest[:0]


def _close(*fds: int) -> None:
    for fd in fds:
        if fd >= 0:
            os.close(fd)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
