"""Another process's `git gc`, and objects that nothing refers to yet: it does not begin while these are written.

`git gc --prune=now` removes whatever no ref leads to, however new it is; a commit that is about to get its ref would be lost,
and the repository damaged. So whoever writes objects holds the lock of `git gc` until the ref is there: a moment each time.
Many may do so at once. A `git gc` that runs already is waited for, with patience; one that comes meanwhile says that another
one runs.

Source: git 2.39 to 2.53, builtin/gc.c: `gc.pid` in the common directory holds "<process id> <host>", is written as
`gc.pid.lock`, and counts as long as that process lives.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.processes import host_name, start_time
from offbranch.git.repository import GitRepo

# One that takes longer is of a large repository, and hardly prunes what is new.
_PATIENCE_S = 10.0
_PAUSE_S = 0.005


@contextmanager
def no_collection(repo: GitRepo, *, patience_s: float = _PATIENCE_S) -> Iterator[bool]:
    """Keeps `git gc` from beginning for the length of a `with`; gives whether that is so.

    Where it runs for longer than patience lasts, or the repository cannot be written to, the block is carried out all the same.
    """
    lock = None
    if sys.platform != "win32":
        with suppress(OSError):
            lock = _Lock(repo)
    if lock is None:
        yield False
        return
    try:
        yield lock.take(patience_s)
    finally:
        lock.release()


class _Lock:
    """Our share of `gc.pid`. Who holds `ob-writes` shared has one; it says which `gc.pid` is ours."""

    def __init__(self, repo: GitRepo) -> None:
        self._pid_file = AbsPath(os.path.join(repo.common_dir, "gc.pid"))
        self._fcntl: Any = load("fcntl")
        path = os.path.join(repo.common_dir, "ob-writes")
        self._shares = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def take(self, patience_s: float) -> bool:
        until_s = time.monotonic() + patience_s
        try:
            self._fcntl.flock(self._shares, self._fcntl.LOCK_SH)
            while not self._try():
                if time.monotonic() >= until_s:
                    return False
                time.sleep(_PAUSE_S)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """The last one removes `gc.pid`."""
        try:
            self._fcntl.flock(self._shares, self._fcntl.LOCK_UN)
            self._fcntl.flock(self._shares, self._fcntl.LOCK_EX | self._fcntl.LOCK_NB)
            text = self._text()
            if text and text == self._ours():
                remove_file(self._pid_file)
        except OSError:  # others still write
            pass
        finally:
            os.close(self._shares)

    def _try(self) -> bool:
        text = self._text()
        if not _is_alive(text):
            self._put(replaces=text is not None)
            text = self._text()
        # While a `git gc` begins, it may still put its own in the place of ours.
        return bool(text) and text == self._ours() and not os.path.exists(f"{self._pid_file}.lock")

    def _put(self, *, replaces: bool) -> None:
        own = f"{os.getpid()} {host_name()}".encode()
        if replaces:
            remove_file(self._pid_file)
        try:
            descriptor = os.open(self._pid_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:  # somebody was faster
            return
        try:
            os.write(descriptor, own)  # who has read it before this finds it empty, and we find that out
        finally:
            os.close(descriptor)
        os.pwrite(self._shares, own.ljust(4096, b"\0"), 0)

    def _text(self) -> str | None:
        try:
            with open(self._pid_file, encoding="utf-8", errors="replace") as file:
                return file.read(4096)
        except FileNotFoundError:
            return None

    def _ours(self) -> str:
        return os.pread(self._shares, 4096, 0).rstrip(b"\0").decode("utf-8", "replace")


def _is_alive(text: str | None) -> bool:
    """Tells whether the one that has written this still runs; who is on another machine does."""
    pid, _, host = (text or "").strip().partition(" ")
    return pid.isdigit() and (host != host_name() or start_time(int(pid)) is not None)
