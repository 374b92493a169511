"""Moments in which Ctrl-C and SIGTERM have to wait: what is begun in them must not be left half done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Holds back SIGINT and SIGTERM for the length of a `with`, from this thread and from what it starts; they come after it.

    Does nothing on systems without signal masks.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
