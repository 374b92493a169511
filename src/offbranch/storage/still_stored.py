"""What was kept of an output (`still.py`) becomes objects of the cache, or content for Git."""

import os
from collections.abc import Iterator

from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.storage.hashing import CHUNK_SIZE, new_long_md5, new_md5
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.state import StateDb
from offbranch.storage.still import Held, HeldFile


@record
class Stored:
    """What an output is in the cache.

    Attributes:
        content: The whole.
        ids: All objects it consists of.
        new: Those that the cache did not have.
    """

    content: Content
    ids: tuple[ObjectId, ...]
    new: tuple[ObjectId, ...]


def store(held: Held, *, cache: LocalCache, state: StateDb | None) -> Stored:
    """Puts what was kept into the cache, and remembers the hashes of the files as they were; `copy` comes first.

    Raises:
        OffbranchError: The disk is full.
    """
    new: list[ObjectId] = []
    ids = [_store_file(file, cache, new) for file in held.files]
    if held.scan is None:
        (file,), (id,) = held.files, ids
        if state is not None and file.is_settled:
            state.record_file(held.path, file.stamp, id, observed_ns=held.observed_ns)
        content = Content(id=id, size=file.status.st_size, is_executable=file.is_executable)
        return Stored(content=content, ids=(id,), new=tuple(new))
    data = listing_bytes(make_listing(zip((file.name for file in held.files), ids, strict=True), path=held.path))
    top = listing_id(data)
    if not cache.has(top):
        cache.add_listing(data, top)
        new.append(top)
    content = Content(id=top, size=held.scan.size_bytes, n_files=len(ids))
    if state is not None:
        settled = [id if file.is_settled else None for id, file in zip(ids, held.files, strict=True)]
        state.record_directory(held.path, held.scan, settled, content=content, observed_ns=held.observed_ns)
    return Stored(content=content, ids=(top, *ids), new=tuple(new))


def _store_file(file: HeldFile, cache: LocalCache, new: list[ObjectId]) -> ObjectId:
    if file.known is not None:
        return file.known
    if file.data is not None:
        id = ObjectId(new_md5(file.data).hexdigest())
        if not cache.has(id):
            cache.add_bytes(file.data, id)
            new.append(id)
        return id
    assert file.own is not None
    digest = new_long_md5()
    os.lseek(file.own.descriptor, 0, os.SEEK_SET)
    while data := os.read(file.own.descriptor, CHUNK_SIZE):
        digest.update(data)
    id = ObjectId(digest.hexdigest())
    if not cache.has(id):
        file.own.publish(id, mtime_ns=file.status.st_mtime_ns)
        new.append(id)
    file.close()
    return id


def contents(held: Held) -> Iterator[tuple[HeldFile, bytes | AbsPath]]:
    """Yields each file with what it held, or the path of a copy that lasts until `held` is closed; `copy` comes first."""
    for file in held.files:
        if file.data is not None:
            yield file, file.data
        elif file.own is not None:
            yield file, file.own.path
