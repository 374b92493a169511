"""Who is putting data into the cache right now: many may at once; who removes some of it while runs go on is alone meanwhile.

`ob gc` needs none of this: it refuses to begin where anything runs. From the moment at which an object is found in the cache or
written to it until something names it, its user holds this lock; so who is alone finds every use by what names objects.
"""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from offbranch.base.paths import OB_DIR, AbsPath, join
from offbranch.base.plugins import load

_LOCK = f"{OB_DIR}/cache.lock"
_PAUSE_S = 0.01


@contextmanager
def using_cache(root: AbsPath) -> Iterator[None]:
    """Keeps objects that are not named yet from being removed, for the length of a `with`.

    Args:
        root: Of the user's project, not of a copy of it.
    """
    if sys.platform == "win32":  # nobody removes anything there
        yield
        return
    fcntl = load("fcntl")
    try:
        descriptor = _open(root)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT):
            raise
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone_with_cache(root: AbsPath, *, wait_s: float) -> Iterator[bool]:
    """Waits a little until nobody is putting data into the cache; gives whether we are alone for the length of the `with`."""
    if sys.platform == "win32":
        yield False
        return
    fcntl = load("fcntl")
    descriptor = _open(root)
    try:
        yield _try_for(wait_s, lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
    finally:
        os.close(descriptor)


def _try_for(wait_s: float, take: Callable[[], object]) -> bool:
    until_s = time.monotonic() + wait_s
    while True:
        try:
            take()
            return True
        except BlockingIOError:
            if time.monotonic() >= until_s:
                return False
            time.sleep(_PAUSE_S)


def _open(root: AbsPath) -> int:
    path = join(root, _LOCK)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
