"""A file lock that dies with its holder and tells who holds it.

`flock(2)` on POSIX, a byte-range lock on Windows: the system drops it when the last process that has the file open is
gone, also after SIGKILL. The file itself stays; its content names the holder, or one that was killed. A lock may be handed
on to child processes on purpose, by its descriptor, so that an orphaned command goes on holding it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from offbranch.base.errors import LockedError
from offbranch.base.paths import AbsPath
from offbranch.base.processes import ProcessInfo, command_of, is_alive, this_process
from offbranch.base.records import as_dict

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int, *, shared: bool = False) -> bool:  # noqa: ARG001 - there are no shared ones
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _can_lock(descriptor: int) -> bool:
        return _try_lock(descriptor)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _can_lock(descriptor: int) -> bool:
        # Shared, so that two who look at the same moment do not take each other for the holder.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def holder_as_json(process: ProcessInfo) -> str:
    """Returns what our own lock files contain."""
    return json.dumps(as_dict(process)) + "\n"


def holder_as_pid(process: ProcessInfo) -> str:
    """Returns what the lock file of DVC contains: a blank, the process id, a newline."""
    return f" {process.pid}\n"


def read_holder(path: AbsPath) -> ProcessInfo | None:
    """Returns who wrote a lock file last, whichever of the two contents it has; None if that cannot be told."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(4096)
    except OSError:
        return None
    if text.strip().isdigit():
        pid = int(text)
        return ProcessInfo(pid=pid, started="", host="", command=command_of(pid))
    try:
        return ProcessInfo(**json.loads(text))
    except (ValueError, TypeError):
        return None


class LockFile:
    """An open lock file; made by `hold_lock`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_ours = True

    def is_left_to_heirs(self, path: AbsPath) -> bool:
        """Tells whether processes that have inherited the lock still run; then it is theirs from now on, and ours no more."""
        if sys.platform == "win32":  # there nobody inherits it
            return False
        inherited, self.descriptor = self.descriptor, os.open(path, os.O_RDWR)
        os.close(inherited)
        self.is_ours = _try_lock(self.descriptor)
        return not self.is_ours


@contextmanager
def hold_lock(
    path: AbsPath,
    *,
    content: Callable[[ProcessInfo], str] = holder_as_json,
    wait_s: float = 0.0,
    on_wait: Callable[[ProcessInfo | None], None] | None = None,
    on_abandoned: Callable[[ProcessInfo], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[LockFile]:
    """Holds an exclusive lock for the length of a `with`.

    Args:
        path: The lock file; its directory is made if needed.
        content: Turns our process into what the file shall say.
        wait_s: Seconds to keep trying while the same process holds it. Where it goes from hand to hand our turn comes.
        on_wait: Called once, with the holder, before waiting.
        on_abandoned: Called with the last holder, once we hold the lock, if that one was killed while it held it.
        clock: Seconds, monotonic.
        sleep: Waits.

    Raises:
        LockedError: Somebody else holds it; the message says who.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    held = LockFile(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
    try:
        _wait(path, held.descriptor, wait_s, on_wait, clock, sleep)
        if on_abandoned is not None and (last := read_holder(path)) is not None:
            # While the file still names the dead: if we are killed in here, the next one is called again.
            on_abandoned(last)
        os.ftruncate(held.descriptor, 0)
        os.pwrite(held.descriptor, content(this_process()).encode(), 0)
        try:
            yield held
        finally:
            if held.is_ours:
                os.ftruncate(held.descriptor, 0)  # an empty file says that the holder ended in order
                # Explicitly, not by closing: a command that inherited the file must not keep the lock after us.
                _unlock(held.descriptor)
    finally:
        os.close(held.descriptor)


def _wait(
    path: AbsPath,
    descriptor: int,
    wait_s: float,
    on_wait: Callable[[ProcessInfo | None], None] | None,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    if _try_lock(descriptor):
        return
    holder, deadline = read_holder(path), clock() + wait_s
    if on_wait and wait_s > 0:
        on_wait(holder)
    while not _try_lock(descriptor):
        if clock() >= deadline:
            if (now := read_holder(path)) == holder:
                raise locked_error(path)
            holder, deadline = now, clock() + wait_s
        sleep(0.05)


@contextmanager
def hold_existing(path: AbsPath) -> Iterator[bool]:
    """Holds the lock of a file of another program for the length of a `with`; what is in it stays as it is.

    Yields:
        Whether it is held: not where somebody else has it, or where there is no such file.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        if not _try_lock(descriptor):
            yield False
            return
        try:
            yield True
        finally:
            _unlock(descriptor)
    finally:
        os.close(descriptor)


def take_lock(path: AbsPath, content: str | None, *, shared: bool = False) -> int | None:
    """Takes a lock that is given back by closing it, here and in every process that inherited it.

    Args:
        path: The lock file, in a directory that is there. Where the directory may be written by all, so may the file.
        content: What it shall say while we have it; None to leave it.
        shared: Others may have it too, if they take it shared.

    Returns:
        Its descriptor; None if somebody else has it.
    """
    while True:
        descriptor = _open_anyhow(path)
        try:
            if not _try_lock(descriptor, shared=shared):
                os.close(descriptor)
                return None
            # Who had it may have been cleared away meanwhile: then it guards nothing any more.
            if os.fstat(descriptor).st_ino == os.stat(path).st_ino:
                break
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    if content is not None:
        with suppress(OSError):  # it says who has it, no more; it may belong to another user, and the disk may be full
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content.encode(), 0)
    return descriptor


def _open_anyhow(path: AbsPath) -> int:
    """Opens a lock file that may be another user's, which may allow no writing."""
    no_link = getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, os.O_RDWR | no_link)
    except FileNotFoundError:
        pass
    except PermissionError:
        return os.open(path, os.O_RDONLY | no_link)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | no_link, 0o600)
    except FileExistsError:
        return _open_anyhow(path)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, os.stat(os.path.dirname(path)).st_mode & 0o666 | 0o600)
    return descriptor


def is_locked(path: AbsPath) -> bool:
    """Tells whether a process holds the lock at this moment; nothing is created or changed."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        if not _can_lock(descriptor):
            return True
        _unlock(descriptor)
        return False
    finally:
        os.close(descriptor)


def locked_error(path: AbsPath) -> LockedError:
    """Returns the error that tells who holds a lock."""
    holder = read_holder(path)
    if holder is None:
        who = "another process"
    else:
        where = f" on {holder.host}" if holder.host else ""
        who = f"process {holder.pid}{where}" + (f" ({holder.command})" if holder.command else "")
        if holder.host and not is_alive(holder):
            return LockedError(
                f"the project is locked by a command that {who} had started: that process is gone, its command still runs",
                hint="wait until the command has finished, or end it",
            )
    return LockedError(
        f"the project is locked by {who}",
        hint="wait until it has finished, or end that process; the lock goes with it",
    )
