"""The same action on many things in a few threads, with results as they come and a bounded number under way.

Loaded only by commands that talk to servers. Actions run in the threads; everything else in the caller's. Who stops waiting
is not held up by an action that waits for a silent server: its thread is left to itself, and dies with the process at the
latest. (`concurrent.futures` would join it when the process ends.)
"""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TypeVar

from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.records import record

_TICK_S = 0.2
T = TypeVar("T")
R = TypeVar("R")

THREAD_NAME = "ob-transfer"
# How long actions may take to see that nobody wants their result, and to clear up after themselves.
_GRACE_S = 1.0


class Stop:
    """Tells running actions that nobody wants their result any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Says so."""
        self._event.set()

    def is_set(self) -> bool:
        """Tells whether it was said."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises Interrupted once it was said."""
        if self._event.is_set():
            raise Interrupted("interrupted")

    def sleep(self, seconds: float) -> None:
        """Waits, unless it is said meanwhile; then raises Interrupted."""
        self._event.wait(seconds)
        self.check()


@record
class _Raised:
    """What an action raised, to be raised in another thread."""

    error: BaseException


def run_parallel(
    action: Callable[[T], R],
    items: Iterable[T],
    *,
    jobs: int,
    stop: Stop,
    tick: Callable[[], object] | None = None,
) -> Generator[tuple[T, R | OffbranchError], None, None]:
    """Yields each item with what the action returned for it, or the error it raised, in the order they end.

    Args:
        action: Called from several threads.
        items: Taken one by one as threads become free, so there may be millions.
        jobs: Threads at most.
        stop: Set when the caller does not go on (an exception, or an abandoned iteration); actions should look at it. One
            that does not end within a second of it is left to itself.
        tick: Called a few times a second in the caller's thread while actions run, e.g. to tell how far they are.

    Raises:
        Exception: What an action raised that is no `OffbranchError`; the others are stopped first.
    """
    jobs = max(1, jobs)
    todo: SimpleQueue[tuple[T] | None] = SimpleQueue()
    done: SimpleQueue[tuple[T, R | _Raised]] = SimpleQueue()
    waiting, threads, n_under_way = iter(items), list[threading.Thread](), 0
    try:
        while True:
            for item in islice(waiting, 4 * jobs - n_under_way):
                n_under_way += 1
                todo.put((item,))
                if len(threads) < min(jobs, n_under_way):
                    threads.append(_start(lambda: _work(action, todo, done, stop)))
            if not n_under_way:
                return
            ended = _next(done, None if tick is None else _TICK_S)
            if tick is not None:
                tick()
            if ended is None:
                continue
            item_done, answer = ended
            n_under_way -= 1
            if not isinstance(answer, _Raised):
                yield item_done, answer
            elif isinstance(answer.error, OffbranchError):
                yield item_done, answer.error
            else:
                raise answer.error
    finally:
        if n_under_way:
            stop.set()
        for _ in threads:
            todo.put(None)
        _join(threads, _GRACE_S if n_under_way else None)


def run_beside(action: Callable[[], R]) -> R:
    """Returns what an action returns that Ctrl-C cannot interrupt, such as a request made by compiled code.

    In the main thread it runs in one of its own, where nobody has to wait for its end; elsewhere it is just called.
    """
    if threading.current_thread() is not threading.main_thread():
        return action()
    done: SimpleQueue[R | _Raised] = SimpleQueue()
    _start(lambda: done.put(_outcome(action)))
    answer = done.get()
    if isinstance(answer, _Raised):
        raise answer.error
    return answer


def _start(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, name=THREAD_NAME, daemon=True)
    thread.start()
    return thread


def _work(
    action: Callable[[T], R],
    todo: "SimpleQueue[tuple[T] | None]",
    done: "SimpleQueue[tuple[T, R | _Raised]]",
    stop: Stop,
) -> None:
    while (given := todo.get()) is not None:
        (item,) = given
        if not stop.is_set():
            done.put((item, _outcome(lambda item=item: action(item))))  # type: ignore[misc]


def _outcome(action: Callable[[], R]) -> R | _Raised:
    try:
        return action()
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for it
        return _Raised(error=error)


def _next(done: "SimpleQueue[T]", patience_s: float | None) -> T | None:
    try:
        return done.get(timeout=patience_s)
    except Empty:
        return None


def _join(threads: Iterable[threading.Thread], patience_s: float | None) -> None:
    end_s = None if patience_s is None else time.monotonic() + patience_s
    threads = tuple(threads)
    if threading.current_thread() in threads:
        return  # an abandoned iteration that the garbage collector happened to end in one of its own threads
    for thread in threads:
        thread.join(None if end_s is None else max(0.0, end_s - time.monotonic()))
