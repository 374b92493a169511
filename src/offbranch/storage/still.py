"""What an output holds at one moment, kept while its writer goes on: first `hold`, quickly; then `copy`, beside it.

A large file is held by a read lease: the kernel makes whoever opens it for writing wait until our copy is made, which is a
clone where the file system has these. Where there is no lease it is cloned or copied before `hold` returns. Small files are
read at once. What the cache has already, by the state database, is neither read nor copied. `still_stored.py` puts what was
kept into the cache.
"""

import os
import stat
from collections.abc import Sequence

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.hashing import (
    SMALL_SIZE,
    changing_error,
    is_unchanged,
    open_regular,
    special_file_error,
)
from offbranch.storage.ignore import IgnoreRules
from offbranch.storage.incoming import Incoming
from offbranch.storage.leases import Lease, drop, take_lease
from offbranch.storage.links import clone, copy_range
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId
from offbranch.storage.scan import Scan, Stamp, scan_directory, stamp_of
from offbranch.storage.state import StateDb
from offbranch.storage.workspace import find_status, is_executable, known_md5s

# Of one checkpoint: read at once, and held by leases; beyond that, files are copied before the loop goes on.
# Reading 64 MB of small files takes 20 ms, copying them ten times as long.
_READ_BYTES = 128 << 20
_HELD_FILES = 256
_ATTEMPTS = 3
# In one call: few calls, for each has to wait for the interpreter.
_COPY_BYTES = 16 << 20


class Room:
    """How much of a checkpoint may be read or held before the loop goes on; one for each checkpoint.

    Attributes:
        copies_first: Nothing is held: the kernel has given up a lease of ours before its copy was made.
        can_clone: Whether the file system has reflinks; None while nobody has tried.
    """

    def __init__(self, *, copies_first: bool = False, can_clone: bool | None = None) -> None:
        self.read_bytes = _READ_BYTES
        self.held_files = 0 if copies_first else _HELD_FILES
        self.can_clone = can_clone


class HeldFile:
    """One file as it was; exactly one of the last four attributes is set.

    Attributes:
        name: Path below the output; empty for the output itself.
        stamp: Its stamp then.
        is_settled: Whether a change would give it another stamp: nobody has it open for writing.
        is_executable: Whether the user may execute it.
        known: Its object, which the cache has.
        data: What it held.
        descriptor: The file itself, under a lease.
        own: A copy.
    """

    __slots__ = ("data", "descriptor", "is_executable", "is_settled", "known", "name", "own", "stamp", "status")

    def __init__(self, name: str, status: os.stat_result) -> None:
        self.name = name
        self.status = status
        self.stamp: Stamp = stamp_of(status)
        self.is_settled = True
        self.is_executable = is_executable(status)
        self.known: ObjectId | None = None
        self.data: bytes | None = None
        self.descriptor: int | None = None
        self.own: Incoming | None = None

    def close(self) -> None:
        """Lets go of the file, and removes the copy if it has got no name."""
        if self.descriptor is not None:
            drop(self.descriptor)
            self.descriptor = None
        if self.own is not None:
            self.own.__exit__(None, None, None)
            self.own = None


class Held:
    """An output as it was; closed by its owner.

    Attributes:
        files: Its files, in the order of the walk.
        scan: The walk, for a directory.
        observed_ns: When that was.
    """

    def __init__(self, path: AbsPath, observed_ns: int) -> None:
        self.path = path
        self.observed_ns = observed_ns
        self.files: list[HeldFile] = []
        self.scan: Scan | None = None

    def close(self) -> None:
        """Lets go of everything."""
        for file in self.files:
            file.close()


class ChangedError(Exception):
    """A file was changed although it was held: the kernel does not wait for ever."""


def hold(
    path: AbsPath, *, cache: LocalCache, state: StateDb | None, ignore: IgnoreRules | None, rel: RepoPath, room: Room
) -> Held | None:
    """Keeps what is at a path, a file or a directory, as it is now; None where nothing is.

    Args:
        path: The output; links to files are followed.
        cache: Where it is going to be stored.
        state: Known hashes; None to take the content of every file.
        ignore: Rules of the project.
        rel: The same place as a path of the project.
        room: What may be held.

    Raises:
        OffbranchError: It cannot be read or copied, or changes all the time.
    """
    for _ in range(_ATTEMPTS):
        held = Held(path, state.now_ns() if state is not None else 0)
        try:
            return _hold(held, cache, state, ignore, rel, room)
        except (
            ChangedError,
            FileNotFoundError,
        ):  # somebody else than who asks writes there: another process of the job
            held.close()
        except BaseException:
            held.close()
            raise
    raise changing_error(path)


def copy(held: Held, cache: LocalCache) -> None:
    """Copies what is held by leases, and lets go of them.

    Raises:
        ChangedError: One was changed meanwhile.
        OffbranchError: The disk is full.
    """
    for file in held.files:
        if file.descriptor is None:
            continue
        file.own = _copied(held.path, file, file.descriptor, cache)
        drop(file.descriptor)
        file.descriptor = None


def _hold(
    held: Held, cache: LocalCache, state: StateDb | None, ignore: IgnoreRules | None, rel: RepoPath, room: Room
) -> Held | None:
    status = find_status(held.path)
    if status is None:
        return None
    if stat.S_ISREG(status.st_mode):
        known = state.file(held.path, stamp_of(status)) if state is not None else None
        if known is not None and not cache.has(known):
            known = None
        held.files.append(_hold_file(held.path, "", known, stamp_of(status), cache, room))
        return held
    if not stat.S_ISDIR(status.st_mode):
        raise special_file_error(held.path, status.st_mode)
    held.scan = scan = scan_directory(held.path, ignore=ignore, rel=rel)
    names = scan.paths
    md5s: Sequence[str | None] = known_md5s(held.path, scan, names, state=state)
    there = cache.has_many({ObjectId(md5) for md5 in md5s if md5 is not None})
    for name, md5, stamp in zip(names, md5s, scan.stamps, strict=True):
        file = AbsPath(f"{held.path}{os.sep}{name}")
        known = ObjectId(md5) if md5 is not None and md5 in there else None
        held.files.append(_hold_file(file, name, known, stamp, cache, room))
    return held


def _hold_file(
    path: AbsPath, name: str, known: ObjectId | None, known_at: Stamp, cache: LocalCache, room: Room
) -> HeldFile:
    descriptor = _opened(path)
    file = None
    try:
        status = os.fstat(descriptor)
        file = HeldFile(name, status)
        # Who has it open for writing may change it without a new time stamp, by its memory: then nothing is known.
        lease = take_lease(descriptor)
        file.is_settled = lease is not Lease.REFUSED
        is_small = status.st_size < SMALL_SIZE
        if known is not None and file.stamp == known_at and (lease is Lease.GIVEN or (is_small and file.is_settled)):
            file.known = known
            return file
        if is_small and status.st_size <= room.read_bytes:
            file.data = os.read(descriptor, status.st_size + 1)
            room.read_bytes -= len(file.data)
            if len(file.data) != status.st_size or not is_unchanged(status, os.fstat(descriptor)):
                raise ChangedError(path)
            return file
        if room.held_files > 0 and lease is Lease.GIVEN:
            room.held_files -= 1
            file.descriptor, descriptor = descriptor, -1
            return file
        # A clone is no moment either: Btrfs and XFS write what is not on the disk yet first (200 ms for 100 MB on btrfs).
        file.own = _cloned(descriptor, status, cache, room) or _copied(path, file, descriptor, cache)
        return file
    except BaseException:
        if file is not None:
            file.close()
        raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _opened(path: AbsPath) -> int:
    try:
        return open_regular(path)
    except OffbranchError as error:
        if isinstance(error.__cause__, FileNotFoundError):  # it has just been removed
            raise error.__cause__ from None
        raise


def _cloned(source: int, status: os.stat_result, cache: LocalCache, room: Room) -> Incoming | None:
    if room.can_clone is False:
        return None
    own = cache.incoming()
    try:
        room.can_clone = clone(source, own.descriptor)
        if room.can_clone and is_unchanged(status, os.fstat(source)):
            return own
    except BaseException:
        own.__exit__(None, None, None)
        raise
    own.__exit__(None, None, None)
    return None


def _copied(path: AbsPath, file: HeldFile, source: int, cache: LocalCache) -> Incoming:
    own = cache.incoming()
    try:
        n_copied = 0
        while n_copied <= file.status.st_size and (n := copy_range(source, own.descriptor, _COPY_BYTES)):
            n_copied += n
        if n_copied != file.status.st_size or not is_unchanged(file.status, os.fstat(source)):
            raise ChangedError(path)
    except OSError as error:
        own.__exit__(None, None, None)
        raise own.explain(error) from error
    except BaseException:
        own.__exit__(None, None, None)
        raise
    return own
