"""A child of a worker: a forked process that carries out one task and tells how it ended.

Two pipes join them. Through one the child says what it does, one JSON object a line; its end says that the child has ended,
however that came about. The other only tells the child that its worker is gone: then it stops what it does, for nothing
shall run that nobody supervises.
"""

import fcntl
import json
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from offbranch.base.errors import Interrupted, StageFailedError
from offbranch.base.records import record
from offbranch.base.undisturbed import hold_back, is_undisturbed, stopping_signals, undisturbed
from offbranch.pipeline.marked_lines import Lines
from offbranch.pipeline.signals import terminal_sent_it

Say = Callable[[Mapping[str, Any]], None]
_CHUNK = 1 << 16
_OURS = "offbranch."
# What opens connections, and what composes configurations, is of no use to most tasks.
_HEAVY = tuple(_OURS + package for package in ("storage.remote", "params.compose"))


@record
class ChildManner:
    """How children are run.

    Attributes:
        apart: In process groups of their own, so that all of one can be signalled together; otherwise the terminal, its
            Ctrl-C included, is theirs as much as ours.
        mark: Put before each line of output, which goes through us; None leaves the output where it is.
    """

    apart: bool
    mark: str | None = None


class Child:
    """A child as its worker sees it; made by `fork_child`."""

    def __init__(
        self, pid: int, *, apart: bool, words: int, life: int, outputs: Mapping[int, tuple[int, Lines]]
    ) -> None:
        self.pid = pid
        self.apart = apart
        self.words = words
        self.life = life
        self.outputs = dict(outputs)
        self._rest = b""

    @property
    def ends(self) -> tuple[int, ...]:
        """Descriptors to wait for."""
        return (self.words, *self.outputs)

    def hear(self) -> list[dict[str, Any]] | None:
        """Returns what it has said; None if it has ended."""
        data = os.read(self.words, _CHUNK)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def show(self, end: int) -> None:
        """Passes on output that has come."""
        data = os.read(end, _CHUNK)
        target, lines = self.outputs[end]
        _write(target, lines.take(data) if data else lines.end())
        if not data:
            os.close(end)
            del self.outputs[end]

    def signal(self, number: int) -> None:
        """Sends a signal to it and to its commands."""
        with suppress(ProcessLookupError, PermissionError):
            if self.apart:
                os.killpg(self.pid, number)
            elif not (number == signal.SIGINT and terminal_sent_it()):
                os.kill(self.pid, number)

    def bury(self) -> int:
        """Ends what is left of its process group, and fetches its exit code; to be called once `hear` has said None."""
        if self.apart:  # before its process id can become that of another
            self.signal(signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        for end in tuple(self.outputs):
            while end in self.outputs and select.select([end], (), (), 0)[0]:
                self.show(end)
        for end, (target, lines) in self.outputs.items():
            _write(target, lines.end())
            os.close(end)
        os.close(self.words)
        os.close(self.life)
        return code


def fork_child(work: Callable[[Say], None], manner: ChildManner, others: Iterable[Child]) -> Child:
    """Starts a child.

    Args:
        work: What it does; told how to speak to us.
        manner: How it runs.
        others: Children that run already: it must not keep their pipes open.
    """
    others = tuple(others)
    words_read, words_write = os.pipe()
    life_read, life_write = os.pipe()
    pipes = {target: os.pipe() for target in (1, 2)} if manner.mark is not None else {}
    sys.stdout.flush()
    sys.stderr.flush()
    with undisturbed():  # until the child has its own handlers: one that ours took in its place would be lost
        pid = os.fork()
        if pid == 0:
            for each in others:
                _close(each.words, each.life, *each.outputs)
            _close(words_read, life_write)
            for target, (read, write) in pipes.items():
                os.dup2(write, target)
                _close(read, write)
            _be_child(work, words_write, life_read, apart=manner.apart)
    _close(words_write, life_read, *(write for _, write in pipes.values()))
    if manner.apart:
        with suppress(OSError):  # the child does it too; whoever comes first
            os.setpgid(pid, pid)
    outputs = {read: (target, Lines(manner.mark or "")) for target, (read, _) in pipes.items()}
    return Child(pid, apart=manner.apart, words=words_read, life=life_write, outputs=outputs)


def _be_child(work: Callable[[Say], None], words: int, life: int, *, apart: bool) -> NoReturn:
    """Is a child to its end; whatever happens, nothing of the worker's may be run in here."""
    code = 1
    try:
        code = _work(work, words, life, apart=apart)
        for number in stopping_signals():  # one that comes from now on is too late
            signal.signal(number, signal.SIG_IGN)
    except BaseException as error:  # noqa: BLE001 - see above
        with suppress(OSError):
            _say(words, {"error": str(error) or type(error).__name__, "is_stopped": isinstance(error, Interrupted)})
    finally:
        os._exit(code)


def _work(work: Callable[[Say], None], words: int, life: int, *, apart: bool) -> int:
    try:
        if apart:
            os.setpgid(0, 0)
        _stop_on_signals()
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, stopping_signals())
        _stop_without_worker(life, apart=apart)
        before = set(sys.modules)
        work(lambda said: _say(words, said))
        loaded = sorted(name for name in sys.modules.keys() - before if name.startswith(_OURS))
        if loaded:
            _say(words, {"loaded": [name for name in loaded if not name.startswith(_HEAVY)]})
        return 0
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()


def _stop_on_signals() -> None:
    """Stops on the first signal; further ones must not disturb the recording of that, nor any the recording of a failure.

    A command may have failed because the same signal was sent to it: who records that finds it held back.
    """
    came: list[int] = []

    def stop(number: int, _frame: object) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, StageFailedError) or is_undisturbed():
            hold_back(number)
        elif not came and not isinstance(error, Interrupted):
            came.append(number)
            raise Interrupted(f"stopped by {signal.Signals(number).name}")

    for number in stopping_signals():
        signal.signal(number, stop)


def _stop_without_worker(life: int, *, apart: bool) -> None:
    def lost(_number: int, _frame: object) -> None:
        if _is_closed(life):
            signal.signal(signal.SIGIO, signal.SIG_IGN)
            with suppress(ProcessLookupError, PermissionError):
                if apart:
                    os.killpg(0, signal.SIGINT)
                else:
                    os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGIO, lost)
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    if _is_closed(life):
        raise Interrupted("the worker is gone")


def _is_closed(life: int) -> bool:
    """Tells whether the other end is closed; nothing is ever written to it."""
    return bool(select.select([life], (), (), 0)[0])


def _say(words: int, said: Mapping[str, Any]) -> None:
    data = json.dumps(said).encode() + b"\n"
    while data:
        data = data[os.write(words, data) :]


def _write(target: int, data: bytes) -> None:
    with suppress(OSError):  # the terminal is gone: the tasks go on, their output is in their logs
        while data:
            data = data[os.write(target, data) :]


def _close(*descriptors: int) -> None:
    for each in descriptors:
        with suppress(OSError):
            os.close(each)
