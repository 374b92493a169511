"""Which objects of a store are used by nothing, and removing them: first a plan, then the removing.

Lists of directories go before files, here and at a data remote: whoever finds a list still finds its files, also when the
removing is cut short. Nothing that is to be kept is touched at any moment.
"""

import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.files import TEMPORARY_PREFIX, remove_file
from offbranch.base.paths import AbsPath
from offbranch.base.processes import start_time
from offbranch.base.records import record
from offbranch.storage.hashing import hash_bytes
from offbranch.storage.listing import Listing, parse_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId, is_directory
from offbranch.storage.remote_store import Store

_A_DAY_NS = 24 * 3600 * 1_000_000_000
_FOR_EVER_NS = 1 << 63
_AT_ONCE = 1000
_NO_PERMISSION = (errno.EPERM, errno.EACCES, errno.EROFS)


@record
class GcPlan:
    """What is removed from one store.

    Attributes:
        directories: Lists of directories, sorted; they go first.
        files: Objects of files, sorted.
        size_bytes: What that frees; an object that is hard-linked into a workspace frees nothing.
        n_kept: Objects that stay.
    """

    directories: tuple[ObjectId, ...] = ()
    files: tuple[ObjectId, ...] = ()
    size_bytes: int = 0
    n_kept: int = 0

    @property
    def ids(self) -> tuple[ObjectId, ...]:
        """Everything that goes, in the order of going."""
        return (*self.directories, *self.files)


@record
class Closure:
    """Some objects and all they consist of.

    Attributes:
        ids: The objects.
        unlisted: Directories among them whose files are not known.
    """

    ids: frozenset[ObjectId]
    unlisted: frozenset[ObjectId]


def close_over(tops: Iterable[ObjectId], lists: Mapping[ObjectId, Listing]) -> Closure:
    """Returns objects together with the files of the directories among them."""
    wanted = frozenset(tops)
    ids = set(wanted)
    unlisted = set()
    for id in wanted:
        if id in lists:
            ids.update(lists[id].entries.values())
        elif is_directory(id):
            unlisted.add(id)
    return Closure(ids=frozenset(ids), unlisted=frozenset(unlisted))


def plan_gc(present: Iterable[tuple[ObjectId, int]], keep: Collection[ObjectId]) -> GcPlan:
    """Returns what is removed of the objects (with what each frees) of a store so that those to be kept are left."""
    directories: list[ObjectId] = []
    files: list[ObjectId] = []
    size_bytes = n_kept = 0
    for id, size in present:
        if id in keep:
            n_kept += 1
            continue
        (directories if is_directory(id) else files).append(id)
        size_bytes += size
    return GcPlan(
        directories=tuple(sorted(directories)), files=tuple(sorted(files)), size_bytes=size_bytes, n_kept=n_kept
    )


def apply_gc(plan: GcPlan, store: Store, *, tell: Callable[[int], object] = lambda n: None) -> None:
    """Removes what a plan says. If it is interrupted, nothing that is used is missing, and planning again shows the rest.

    Args:
        plan: From `plan_gc`, of just now: nobody may have added anything since.
        store: The cache, or a data remote.
        tell: Called with the number of objects removed so far.

    Raises:
        OffbranchError: Something cannot be removed.
    """
    n_done = 0
    for group in (plan.directories, plan.files):
        waiting = iter(group)
        while some := tuple(islice(waiting, _AT_ONCE)):
            if isinstance(store, LocalCache):
                _remove_here(store, some)
            else:
                store.remove(some)
            n_done += len(some)
            tell(n_done)


def iter_sized(store: Store) -> Iterator[tuple[ObjectId, int]]:
    """Yields each object of a store with the bytes that removing it frees."""
    if not isinstance(store, LocalCache):
        yield from store.iter_sized()
        return
    yield from iter_sized_of(store, store.iter_objects())


def iter_sized_of(cache: LocalCache, ids: Iterable[ObjectId]) -> Iterator[tuple[ObjectId, int]]:
    """Yields the same of some objects, those that a cache has."""
    for id in ids:
        try:
            status = os.lstat(cache.path_of(id))
        except OSError:
            continue
        yield id, status.st_size if status.st_nlink == 1 else 0


def read_list(store: Store, id: ObjectId) -> Listing | None:
    """Returns the list of a directory, or None if it is not there or not sound; nothing is removed, as gc and fsck need it.

    Raises:
        RemoteError: The data remote cannot be asked.
    """
    try:
        data = store.read_bytes(id)
    except MissingDataError:
        return None
    try:
        if hash_bytes(data) + DIRECTORY_SUFFIX != id:
            return None
        return parse_listing(data, path=id)
    except (OffbranchError, CorruptObjectError):
        return None


def old_temporaries(cache: LocalCache, *, now_ns: int) -> tuple[AbsPath, ...]:
    """Returns files that killed processes left unfinished in a cache: older than a day, their process gone."""
    return tuple(sorted(_unfinished(cache, before_ns=now_ns - _A_DAY_NS)))


def remove_temporaries_of(cache: LocalCache, pid: int) -> int:
    """Removes what a process of this machine that is gone left unfinished in a cache of our own; returns how many files."""
    if start_time(pid) is not None:
        return 0
    found = [path for path in _unfinished(cache, before_ns=_FOR_EVER_NS) if _pid_in(os.path.basename(path)) == str(pid)]
    for path in found:
        with suppress(OSError):
            remove_file(path)
    return len(found)


def _unfinished(cache: LocalCache, *, before_ns: int) -> Iterator[AbsPath]:
    top = os.path.join(cache.root, "files", "md5")
    for directory in (top, *(os.path.join(top, f"{number:02x}") for number in range(256))):
        try:
            entries = list(os.scandir(directory))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if entry.name.startswith(TEMPORARY_PREFIX) and _is_abandoned(entry, before_ns):
                yield AbsPath(entry.path)


def _is_abandoned(entry: os.DirEntry[str], before_ns: int) -> bool:
    try:
        if entry.stat(follow_symlinks=False).st_mtime_ns >= before_ns:
            return False
    except OSError:
        return False
    pid = _pid_in(entry.name)
    return not (pid.isdigit() and start_time(int(pid)) is not None)


def _pid_in(name: str) -> str:
    return name.removeprefix(TEMPORARY_PREFIX).partition("-")[0]


def _remove_here(cache: LocalCache, ids: Iterable[ObjectId]) -> None:
    for id in ids:
        try:
            remove_file(cache.path_of(id))
        except OSError as error:
            who = "it belongs to another user, or the disk is read-only" if error.errno in _NO_PERMISSION else ""
            raise OffbranchError(
                f"cannot remove '{cache.path_of(id)}': {(error.strerror or str(error)).lower()}",
                hint=who or "repeat the command: what is left is removed then",
            ) from error
