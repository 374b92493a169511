"""Files into a cache on disk: hashed and stored in one pass, one or many.

What is stored is what was hashed: a small file is read once, a large one is copied and the copy hashed.
"""

import os
from collections.abc import Callable, Iterable

from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.storage.hashing import (
    CHUNK_SIZE,
    READ_FLAGS,
    SMALL_SIZE,
    changing_error,
    is_unchanged,
    new_long_md5,
    new_md5,
    open_regular,
    read_error,
    settled_status,
)
from offbranch.storage.incoming import Incoming
from offbranch.storage.large import map_large
from offbranch.storage.links import clone, copy_range
from offbranch.storage.meter import Meter
from offbranch.storage.object_writer import ObjectWriter
from offbranch.storage.objects import ObjectId


@record
class Target:
    """What adding needs of a cache.

    Attributes:
        writer: Writes objects.
        has: Tells whether one is there.
        incoming: Returns a context for one that comes in piece by piece.
        may_clone: Whether a large file may be cloned.
    """

    writer: ObjectWriter
    has: Callable[[ObjectId], bool]
    incoming: Callable[[], Incoming]
    may_clone: bool


def add_with_status(into: Target, path: AbsPath, meter: Meter | None = None) -> tuple[str, os.stat_result]:
    """Stores a file; returns its md5 and what the file system said of it just before it was read.

    Args:
        into: The cache.
        path: The file.
        meter: Counts the bytes of a large one.
    """
    for _ in range(2):
        source = open_regular(path)
        try:
            before = settled_status(source)
            is_small = before.st_size < SMALL_SIZE
            md5 = _add_small(into, path, source, before) if is_small else _add_large(into, source, before, meter)
        except OSError as error:
            raise into.writer.error(error) from error
        finally:
            os.close(source)
        if md5 is not None:
            return md5, before
    raise changing_error(path)


def add_files(
    into: Target, paths: Iterable[str], sizes: Iterable[int], mtimes_ns: Iterable[int], meter: Meter | None = None
) -> list[str]:
    """Stores many files whose size and time stamp are known, and returns their md5s in the same order.

    The loop runs once per file of a directory: two opens, one read, one write and one rename, nothing else. Large
    files come last, several at a time.
    """
    added: set[str] = set()  # not kept: somebody else's gc may run before the next call
    directories, fresh = into.writer.directories, into.writer.fresh
    open_file, close_file, read, status_of = os.open, os.close, os.read, os.fstat
    result: list[str] = []
    large: dict[int, str] = {}
    for path, size, mtime_ns in zip(paths, sizes, mtimes_ns, strict=True):
        if size >= SMALL_SIZE:
            large[len(result)] = path
            result.append("")
            continue
        try:
            source = open_file(path, READ_FLAGS)
            try:
                data = read(source, size + 1)
                status = status_of(source)
            finally:
                close_file(source)
        except OSError as error:
            raise read_error(path, error) from error
        if len(data) != size or status.st_mtime_ns != mtime_ns or status.st_size != size:
            result.append(add_with_status(into, AbsPath(path))[0])
            continue
        md5 = new_md5(data).hexdigest()
        result.append(md5)
        if md5 in added:
            continue
        prefix = md5[:2]
        directory = directories.get(prefix) or into.writer.fan_out(prefix)
        if prefix in fresh or not into.has(ObjectId(md5)):
            into.writer.write(directory, md5, data)
        added.add(md5)
    for place, md5 in zip(large, _add_all(into, large.values(), meter), strict=True):
        result[place] = md5
    return result


def _add_all(into: Target, large: Iterable[str], meter: Meter | None) -> list[str]:
    tick = meter.tell if meter is not None else None
    return map_large(lambda path: add_with_status(into, AbsPath(path), meter)[0], tuple(large), tick=tick)


def _add_small(into: Target, path: str, source: int, before: os.stat_result) -> str | None:
    """Stores an open small file; None when it changed meanwhile."""
    try:
        data = os.read(source, before.st_size + 1)
    except OSError as error:
        raise read_error(path, error) from error
    if len(data) != before.st_size or not is_unchanged(before, os.fstat(source)):
        return None
    md5 = new_md5(data).hexdigest()
    if not into.has(ObjectId(md5)):
        into.writer.write(into.writer.fan_out(md5[:2]), md5, data)
    return md5


def _add_large(into: Target, source: int, before: os.stat_result, meter: Meter | None) -> str | None:
    """Stores an open large file; None when it changed meanwhile.

    What is hashed is our copy, not the file: nobody else writes to it, so the name always fits the content.
    """
    with into.incoming() as own:
        md5, n_copied = _copy_and_hash(into, source, own.descriptor, before.st_size, meter)
        if n_copied != before.st_size or not is_unchanged(before, os.fstat(source)):
            return None
        own.publish(ObjectId(md5), mtime_ns=before.st_mtime_ns)
    return md5


def _copy_and_hash(into: Target, source: int, own: int, size: int, meter: Meter | None) -> tuple[str, int]:
    """Copies until the end, or until there is more than expected: a log may grow as fast as it is read."""
    digest = new_long_md5()
    is_cloned = into.may_clone and clone(source, own)
    n_hashed = 0
    while n_hashed <= size and (is_cloned or copy_range(source, own, CHUNK_SIZE)):
        os.lseek(own, n_hashed, os.SEEK_SET)
        n_before = n_hashed
        while data := os.read(own, CHUNK_SIZE):
            digest.update(data)
            n_hashed += len(data)
            if meter is not None:
                meter.add(len(data))
        if n_hashed == n_before:
            break
    return digest.hexdigest(), n_hashed
