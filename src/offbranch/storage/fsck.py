"""Checking the objects of a cache against their names; nothing is changed, moved or removed.

Every byte is read: what was found sound before may have rotted since. Large objects are hashed in a few threads.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.base.records import positional_record
from offbranch.storage.gc import read_list
from offbranch.storage.hashing import SMALL_SIZE, hash_file, hash_text_normalised
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId, is_directory
from offbranch.storage.parallel import Stop, run_parallel

_MODE = 0o444


class Condition(Enum):
    """What an object is like."""

    SOUND = "sound"
    WRITABLE = "writable"
    CORRUPT = "corrupt"
    MALFORMED = "malformed"
    UNREADABLE = "unreadable"
    MISSING = "missing"


@positional_record
class Checked:
    """One object that was looked at.

    Attributes:
        id: Its name.
        condition: `WRITABLE` is sound, but could be changed by accident; `MALFORMED` has the right hash, and is no list.
        size_bytes: What was read.
        detail: More about what is wrong, or an empty text.
    """

    id: ObjectId
    condition: Condition
    size_bytes: int = 0
    detail: str = ""


def check_objects(
    cache: LocalCache, ids: Iterable[ObjectId], *, jobs: int, tell: Callable[[int], object] = lambda n: None
) -> Iterator[Checked]:
    """Yields what each object is like, small ones first.

    Args:
        cache: Where they are; its legacy view checks objects of DVC 2 by their own hash.
        ids: Which.
        jobs: Threads for large objects; Python lets go of its lock while it hashes.
        tell: Called with the number of objects looked at so far.
    """
    large: list[ObjectId] = []
    n_done = 0
    for id in ids:
        try:
            is_large = os.lstat(cache.path_of(id)).st_size >= SMALL_SIZE
        except OSError:
            is_large = False
        if is_large and jobs > 1:
            large.append(id)
            continue
        yield check_object(cache, id)
        n_done += 1
        if n_done % 200 == 0:
            tell(n_done)
    for id, found in run_parallel(lambda id: check_object(cache, id), large, jobs=jobs, stop=Stop()) if large else ():
        yield found if isinstance(found, Checked) else Checked(id, Condition.UNREADABLE, 0, found.message)
        n_done += 1
        tell(n_done)


def check_object(cache: LocalCache, id: ObjectId) -> Checked:
    """Returns what one object is like. Its mode is no argument: it is always hashed."""
    path = cache.path_of(id)
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return Checked(id, Condition.CORRUPT, 0, "it is no file")
        is_text_hash = cache.is_legacy and not is_directory(id)
        md5 = hash_text_normalised(path) if is_text_hash else hash_file(path)[0]
    except FileNotFoundError:
        return Checked(id, Condition.MISSING)
    except OSError as error:
        return _unreadable(id, error, (error.strerror or str(error)).lower())
    except OffbranchError as error:
        return _unreadable(id, error.__cause__, error.message)
    if md5 != id.removesuffix(DIRECTORY_SUFFIX):
        return Checked(id, Condition.CORRUPT, status.st_size, f"its content has the hash {md5}")
    if is_directory(id) and read_list(cache, id) is None:
        return Checked(id, Condition.MALFORMED, status.st_size, "it is no list of files")
    is_writable = bool(status.st_mode & 0o222)
    return Checked(id, Condition.WRITABLE if is_writable else Condition.SOUND, status.st_size)


def _unreadable(id: ObjectId, cause: BaseException | None, text: str) -> Checked:
    # A disk that cannot read a block any more has lost it, whatever the name says.
    is_lost = isinstance(cause, OSError) and cause.errno == errno.EIO
    return Checked(id, Condition.CORRUPT if is_lost else Condition.UNREADABLE, 0, text)


def protect(cache: LocalCache, id: ObjectId) -> None:
    """Takes the right to write from an object that was found sound.

    Raises:
        OffbranchError: It belongs to somebody else.
    """
    path = cache.path_of(id)
    try:
        os.chmod(path, _MODE)
    except OSError as error:
        raise OffbranchError(f"cannot protect '{path}': {(error.strerror or str(error)).lower()}") from error


def strangers(cache: LocalCache) -> Iterator[AbsPath]:
    """Yields files where only objects should be and that no tool of ours or of DVC has a name for."""
    top = os.path.join(cache.root, "files", "md5")
    known = set(map(cache.path_of, cache.iter_objects()))
    for directory, _, names in os.walk(top):
        for name in sorted(names):
            path = AbsPath(os.path.join(directory, name))
            if path not in known:
                yield path
