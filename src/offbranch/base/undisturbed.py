"""Signals that ask us to end, and moments in which they have to wait: what is begun in them must not be left half done."""

import signal
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
