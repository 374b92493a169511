"""Objects from one cache directory to another: the cache, and a data remote that is a directory.

Each is hashed in the same pass as it is copied, and appears under its name only if it fits it. A large one of our own cache
is not hashed again as long as the state database knows that its file was found right and has not been touched since.
"""

import os
from collections.abc import Callable, Sequence

from offbranch.base.errors import CorruptObjectError, OffbranchError
from offbranch.base.records import record
from offbranch.storage.hashing import (
    CHUNK_SIZE,
    READ_FLAGS,
    SMALL_SIZE,
    new_long_md5,
    new_md5,
    read_error,
)
from offbranch.storage.links import LinkKind, clone, copy_range
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId
from offbranch.storage.state import StateDb
from offbranch.storage.verify import record_sound, sound_stamp

_FIRST_READ = 1 << 16  # most objects are small: one read
_TELL_EVERY = 500


@record
class Copied:
    """What came of copying.

    Attributes:
        n_done: Objects that are at the target now.
        size_bytes: Of those.
        missing: Not at the source.
        failed: Could not be copied: corrupt ones (`CorruptObjectError`), or read errors.
    """

    n_done: int
    size_bytes: int
    missing: tuple[ObjectId, ...]
    failed: dict[ObjectId, OffbranchError]


def copy_objects(
    ids: Sequence[ObjectId],
    source: LocalCache,
    target: LocalCache,
    *,
    state: StateDb | None,
    tell: Callable[[int], object],
    on_bytes: Callable[[int], object],
) -> Copied:
    """Copies objects that the target lacks; what is wrong with one does not keep the others back.

    Args:
        ids: In an order that keeps one directory's objects together.
        source: Where they are.
        target: Where they go.
        state: Knows large objects of the source that were found right, and learns of those of the target.
        tell: Called with the number of objects looked at so far.
        on_bytes: Called with the bytes copied since the last call, for large objects.

    Raises:
        OffbranchError: The target cannot be written to.
    """
    missing: list[ObjectId] = []
    failed: dict[ObjectId, OffbranchError] = {}
    size_bytes = 0
    if source.is_legacy:
        return _copy_legacy(ids, source, target, tell)
    write, path_of = target.write_object, source.path_of
    open_file, read, close_file = os.open, os.read, os.close
    for n_seen, id in enumerate(ids, 1):
        try:
            descriptor = open_file(path_of(id), READ_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            missing.append(id)
            continue
        except OSError as error:
            failed[id] = read_error(path_of(id), error)
            continue
        try:
            data = read(descriptor, _FIRST_READ)
            if len(data) == _FIRST_READ:
                size_bytes += _copy_longer(id, data, descriptor, source, target, state, on_bytes)
            elif new_md5(data).hexdigest() == id[:32]:
                write(id, data)
                size_bytes += len(data)
            else:
                failed[id] = corrupt_error(id, source)
        except CorruptObjectError as error:
            failed[id] = error
        except OSError as error:
            failed[id] = read_error(path_of(id), error)
        finally:
            close_file(descriptor)
        if n_seen % _TELL_EVERY == 0:
            tell(n_seen)
    tell(len(ids))
    n_done = len(ids) - len(missing) - len(failed)
    return Copied(n_done=n_done, size_bytes=size_bytes, missing=tuple(missing), failed=failed)


def _copy_legacy(
    ids: Sequence[ObjectId], source: LocalCache, target: LocalCache, tell: Callable[[int], object]
) -> Copied:
    """The same for objects of DVC 2, whose hash looks at the text: each is written first and hashed then."""
    missing: list[ObjectId] = []
    failed: dict[ObjectId, OffbranchError] = {}
    size_bytes = 0
    for n_seen, id in enumerate(ids, 1):
        if not os.path.isfile(source.path_of(id)):
            missing.append(id)
            continue
        try:
            with target.incoming() as own, open(source.path_of(id), "rb") as file:
                while data := file.read(CHUNK_SIZE):
                    own.write(data)
                    size_bytes += len(data)
                if source.hash_for(id, own.path) != id.removesuffix(DIRECTORY_SUFFIX):
                    raise corrupt_error(id, source)
                own.publish(id)
        except CorruptObjectError as error:
            failed[id] = error
        except OSError as error:
            failed[id] = read_error(source.path_of(id), error)
        tell(n_seen)
    n_done = len(ids) - len(missing) - len(failed)
    return Copied(n_done=n_done, size_bytes=size_bytes, missing=tuple(missing), failed=failed)


def corrupt_error(id: ObjectId, cache: LocalCache) -> CorruptObjectError:
    """Returns the error for an object whose content does not fit its name."""
    return CorruptObjectError(f"the object '{id}' in '{cache.root}' is corrupt: its content has another hash")


def _copy_longer(
    id: ObjectId,
    head: bytes,
    descriptor: int,
    source: LocalCache,
    target: LocalCache,
    state: StateDb | None,
    on_bytes: Callable[[int], object],
) -> int:
    """Copies an open object of which `head` was read; returns its size."""
    status = os.fstat(descriptor)
    if status.st_size < SMALL_SIZE:
        parts = [head]
        while data := os.read(descriptor, SMALL_SIZE):
            parts.append(data)
        content = b"".join(parts)
        if new_md5(content).hexdigest() != id[:32]:
            raise corrupt_error(id, source)
        target.write_object(id, content)
        return len(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    observed_ns = state.now_ns() if state is not None else 0
    is_known = state is not None and state.file(source.path_of(id), sound_stamp(source, status)) == id
    with target.incoming() as own:
        if not (LinkKind.REFLINK in target.linker.kinds and clone(descriptor, own.descriptor)):
            while n_copied := copy_range(descriptor, own.descriptor, 8 * CHUNK_SIZE):
                on_bytes(n_copied)
        if not is_known:
            # Our copy is hashed: nobody else writes to it, so the name always fits the content.
            if _hash_open(own.descriptor) != id.removesuffix(DIRECTORY_SUFFIX):
                raise corrupt_error(id, source)
            if state is not None:
                state.record_file(source.path_of(id), sound_stamp(source, status), id, observed_ns=observed_ns)
        elif os.fstat(own.descriptor).st_size != status.st_size:
            raise corrupt_error(id, source)
        own.publish(id, mtime_ns=status.st_mtime_ns)
    if state is not None:
        record_sound(target, id, state=state)
    return status.st_size


def _hash_open(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    digest = new_long_md5()
    while data := os.read(descriptor, CHUNK_SIZE):
        digest.update(data)
    return digest.hexdigest()
