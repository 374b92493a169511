"""Whether an object of the cache is what its name says: asked before its content goes anywhere for good.

A small object is hashed while it is in memory anyway. A large one is hashed once: the state database remembers the stamp
that its file had then. What does not fit its name is set aside, so that it can be fetched or made again.
"""

import os
from collections.abc import Iterable, Sequence

from offbranch.base.errors import CorruptObjectError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.storage.hashing import CHUNK_SIZE, READ_FLAGS, SMALL_SIZE, hash_file, new_md5, read_error
from offbranch.storage.links import LinkKind
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId
from offbranch.storage.scan import Stamp, stamp_of
from offbranch.storage.set_aside import DIRECTORY
from offbranch.storage.state import StateDb

# One read takes this much. Asking the database costs about as much as hashing it (20 us), so smaller objects are hashed.
_FIRST_READ = 1 << 16


@record
class CorruptObject:
    """An object that was not what its name says.

    Attributes:
        id: Its name.
        path: Where it is, or was.
        removed: It is out of the way; False if this process may not move it.
    """

    id: ObjectId
    path: AbsPath
    removed: bool


class CorruptContent(Exception):
    """Signals one corrupt object to the loop that needed it; never leaves `storage`."""

    def __init__(self, found: CorruptObject) -> None:
        super().__init__(found.id)
        self.found = found


def is_sound(cache: LocalCache, id: ObjectId, *, state: StateDb | None) -> bool:
    """Tells whether an object is there and its bytes fit its name; a corrupt one is set aside if that is possible.

    Args:
        cache: Where it is.
        id: A file or a directory object; of a directory object only the listing itself is looked at.
        state: Spares reading a large object again that was found sound before; what is found out is recorded.
    """
    try:
        read_sound(cache, id, state=state, whole=False)
    except (CorruptContent, FileNotFoundError):
        return False
    return True


def read_sound(cache: LocalCache, id: ObjectId, *, state: StateDb | None, whole: bool) -> bytes | None:
    """Makes sure that an object is what its name says; returns its content if that had to be read as a whole.

    This runs once per file of a directory: one open, one read and one hash for what is small.

    Args:
        whole: The caller will copy it, so everything up to 1 MiB is read and hashed in one pass. Otherwise the database
            is asked about objects beyond 64 KiB.

    Raises:
        CorruptContent: It is not; it has been set aside if that was possible.
        FileNotFoundError: It is not there.
        OffbranchError: It cannot be read.
    """
    path = cache.path_of(id)
    if cache.is_legacy:
        if not os.path.exists(path):
            raise FileNotFoundError(path)
        if not cache.verify(id):
            raise _found_corrupt(cache, id)
        return None
    try:
        descriptor = os.open(path, READ_FLAGS)
        try:
            data = os.read(descriptor, _FIRST_READ)
            if len(data) == _FIRST_READ:
                size = os.fstat(descriptor).st_size
                if size > SMALL_SIZE or not whole:
                    _check_large(cache, id, os.fstat(descriptor), state)
                    return None
                while more := os.read(descriptor, CHUNK_SIZE):
                    data += more
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise read_error(path, error) from error
    if new_md5(data).hexdigest() != id[:32]:
        raise _found_corrupt(cache, id)
    return data


def record_sound(cache: LocalCache, id: ObjectId, *, state: StateDb) -> None:
    """Remembers that an object was hashed just now and is what its name says; nothing is kept of small ones."""
    observed_ns = state.now_ns()
    try:
        status = os.stat(cache.path_of(id))
    except OSError:
        return
    if status.st_size >= _FIRST_READ:
        state.record_file(cache.path_of(id), sound_stamp(cache, status), id, observed_ns=observed_ns)


def record_written_objects(cache: LocalCache, *, state: StateDb) -> None:
    """Remembers the large objects that a cache has hashed and stored as sound."""
    for id in cache.written:
        record_sound(cache, id, state=state)
    cache.written.clear()


def corrupt_error(ids: Iterable[str], users: Iterable[str], *, kept: Iterable[str] = ()) -> CorruptObjectError:
    """Returns the error for corrupt objects.

    Args:
        ids: Their names.
        users: The files that need them.
        kept: Where those are that could not be moved.
    """
    objects, files, left = tuple(dict.fromkeys(ids)), tuple(users), tuple(kept)
    fate = (
        f"it cannot be moved: '{left[0]}'"
        if left
        else f"set aside in '{DIRECTORY}' of the cache, nothing of it was written"
    )
    return CorruptObjectError(
        f"corrupt in the cache: {_some(objects)}, needed by {_some(files)} ({fate})",
        objects=objects,
        users=files,
        hint="get it back with 'ob fetch', or make it again with 'ob repro' or 'ob add'; then repeat the command",
    )


def _some(names: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(f"'{name}'" for name in names[:limit]) + more


def _check_large(cache: LocalCache, id: ObjectId, status: os.stat_result, state: StateDb | None) -> None:
    path = cache.path_of(id)
    if state is not None and state.file(path, sound_stamp(cache, status)) == id:
        return
    observed_ns = state.now_ns() if state is not None else 0
    if hash_file(path)[0] != id.removesuffix(DIRECTORY_SUFFIX):
        raise _found_corrupt(cache, id)
    if state is not None:
        state.record_file(path, sound_stamp(cache, status), id, observed_ns=observed_ns)


def sound_stamp(cache: LocalCache, status: os.stat_result) -> Stamp:
    """Returns the stamp of an object; without its ctime where hard links, coming and going, move that all the time."""
    size, mtime_ns, ctime_ns, inode = stamp_of(status)
    return (size, mtime_ns, 0 if LinkKind.HARDLINK in cache.linker.kinds else ctime_ns, inode)


def _found_corrupt(cache: LocalCache, id: ObjectId) -> CorruptContent:
    return CorruptContent(CorruptObject(id=id, path=cache.path_of(id), removed=cache.give_up(id)))
