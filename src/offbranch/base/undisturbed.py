"""Signals that ask us to end, and moments in which they have to wait: what is begun in them must not be left half done."""

import signal
from _thread import get_ident  # `threading` itself would be loaded by each of our starts
from collections.abc import Iterator
from contextlib import contextmanager


def stopping_signals() -> tuple[signal.Signals, ...]:
    """Returns the signals by which a user ends a command: Ctrl-C, `kill`, closing the terminal, unless `nohup` forbids that."""
    hangup = getattr(signal, "SIGHUP", None)
    is_heeded = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *((hangup,) if is_heeded else ()))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Holds back such signals for the length of a `with`, from this thread and from what it starts; they come after it.

    Does nothing on systems without signal masks.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stopping_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def is_undisturbed() -> bool:
    """Tells whether they wait now in this thread. A handler that runs nevertheless has been called for another thread's sake,
    which compiled code may have started."""
    return hasattr(signal, "pthread_sigmask") and signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def is_held_back() -> bool:
    """Tells whether such a signal has come and waits until signals are let through again."""
    return hasattr(signal, "sigpending") and not signal.sigpending().isdisjoint(stopping_signals())


def hold_back(number: int) -> None:
    """Makes a signal that has come wait, and all that come after it, to the end of this process; for its handler."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, stopping_signals())
        signal.pthread_kill(get_ident(), number)
