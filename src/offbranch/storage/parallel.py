"""The same action on many things in a few threads, with results as they come and a bounded number under way.

Loaded only by commands that talk to servers. Actions run in the threads; everything else in the caller's.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from offbranch.base.errors import Interrupted, OffbranchError

_TICK_S = 0.2
T = TypeVar("T")
R = TypeVar("R")


class Stop:
    """Tells running actions that nobody wants their result any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Says so."""
        self._event.set()

    def check(self) -> None:
        """Raises Interrupted once it was said."""
        if self._event.is_set():
            raise Interrupted("interrupted")

    def sleep(self, seconds: float) -> None:
        """Waits, unless it is said meanwhile; then raises Interrupted."""
        self._event.wait(seconds)
        self.check()


def run_parallel(
    action: Callable[[T], R],
    items: Iterable[T],
    *,
    jobs: int,
    stop: Stop,
    tick: Callable[[], object] | None = None,
) -> Iterator[tuple[T, R | OffbranchError]]:
    """Yields each item with what the action returned for it, or the error it raised, in the order they end.

    Args:
        action: Called from several threads.
        items: Taken one by one as threads become free, so there may be millions.
        jobs: Threads at most.
        stop: Set when the caller does not go on (an exception, or an abandoned iteration); actions should look at it.
        tick: Called a few times a second in the caller's thread while actions run, e.g. to tell how far they are.

    Raises:
        Exception: What an action raised that is no `OffbranchError`; the others are ended first.
    """
    pool = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="ob-transfer")
    waiting = iter(items)
    under_way: dict[Future[R], T] = {}
    try:
        while True:
            for item in islice(waiting, 4 * jobs - len(under_way)):
                under_way[pool.submit(action, item)] = item
            if not under_way:
                return
            done = wait(under_way, timeout=None if tick is None else _TICK_S, return_when=FIRST_COMPLETED).done
            if tick is not None:
                tick()
            for future in done:
                item_done = under_way.pop(future)
                error = future.exception()
                if error is not None and not isinstance(error, OffbranchError):
                    raise error
                yield item_done, future.result() if error is None else error
    finally:
        if under_way:
            stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
