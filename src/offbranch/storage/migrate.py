"""Bringing the objects that DVC 2 left in a cache into the layout of DVC 3; the old ones stay where they are.

Text files had the hash of their text with LF, so an object may get another name, and a directory object that lists such
files is written anew. A file of the new layout is a second name (hard link) of the old object where that works.
"""

import errno
import os
from collections.abc import Iterator, Mapping

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Progressed, Reporter, Warned
from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.storage.hashing import hash_bytes, hash_text_normalised
from offbranch.storage.links import protect
from offbranch.storage.listing import listing_bytes, listing_id, make_listing, parse_listing
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, ObjectId, is_directory
from offbranch.storage.scan import stamp_of
from offbranch.storage.state import StateDb
from offbranch.storage.workspace import observe_file


@record
class Migration:
    """What is to be done.

    Attributes:
        names: Id of every sound object of DVC 2 -> its id in DVC 3.
        files: Those files that the new layout lacks: old id -> new id.
        directories: Directory objects that it lacks: new id -> bytes.
        n_old: Objects of DVC 2, the unsound included.
    """

    names: Mapping[ObjectId, ObjectId]
    files: Mapping[ObjectId, ObjectId]
    directories: Mapping[ObjectId, bytes]
    n_old: int

    @property
    def n_new(self) -> int:
        """Number of objects that will be made."""
        return len(set(self.files.values())) + len(self.directories)


def plan_migration(cache: LocalCache, *, state: StateDb, reporter: Reporter) -> Migration:
    """Finds out what the objects of DVC 2 are called in DVC 3; reads those whose hash is not known, changes nothing.

    An object that is not what its name says, and a directory with such a file or without one, is told and left out.
    """
    legacy = cache.legacy_view()
    old = sorted(legacy.iter_objects())
    names: dict[ObjectId, ObjectId] = {}
    files: dict[ObjectId, ObjectId] = {}
    for n_done, id in enumerate(one for one in old if not is_directory(one)):
        new = _new_name(AbsPath(legacy.path_of(id)), id, state)
        if new is None:
            _tell_corrupt(legacy, id, reporter)
            continue
        names[id] = new
        if not cache.has(new):
            files[id] = new
        if n_done % 1000 == 999:
            reporter.emit(Progressed(what="hashing objects of DVC 2", done=n_done + 1, total=len(old), unit="files"))
    directories = dict(_directories(cache, legacy, [one for one in old if is_directory(one)], names, reporter))
    return Migration(names=names, files=files, directories=directories, n_old=len(old))


def apply_migration(migration: Migration, cache: LocalCache) -> None:
    """Makes the objects of a plan; directory objects after their files. Interrupted, it can be repeated."""
    legacy = cache.legacy_view()
    for old, new in migration.files.items():
        source, target = legacy.path_of(old), cache.path_of(new)
        protect(source)  # what stands under a name is read-only from the start
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(source, target)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES):
                raise
            added = cache.add_file(AbsPath(source)).id
            if added != new:
                remove_file(cache.path_of(added))
                raise OffbranchError(f"'{source}' changed while it was read", hint="repeat the command") from error
    for id, data in migration.directories.items():
        cache.add_listing(data, id)


def _new_name(path: AbsPath, id: ObjectId, state: StateDb) -> ObjectId | None:
    """Returns the md5 of an object of DVC 2; None when it is not what its name says."""
    status = os.stat(path)
    known = state.file(path, stamp_of(status))
    if known is not None:
        return known
    md5 = hash_text_normalised(path)
    if md5 != id:
        return None
    return observe_file(path, status, state=state).id


def _directories(
    cache: LocalCache,
    legacy: LocalCache,
    ids: list[ObjectId],
    names: dict[ObjectId, ObjectId],
    reporter: Reporter,
) -> Iterator[tuple[ObjectId, bytes]]:
    for id in ids:
        path = legacy.path_of(id)
        with open(path, "rb") as file:
            data = file.read()
        if hash_bytes(data) + DIRECTORY_SUFFIX != id:
            _tell_corrupt(legacy, id, reporter)
            continue
        entries = parse_listing(data, path=path).entries
        missing = [name for name, md5 in entries.items() if md5 not in names]
        if missing:
            reporter.emit(
                Warned(
                    text=f"the directory object '{id}' is left out: '{missing[0]}' in it is not in the cache",
                    hint="fetch it with the DVC that made it, or leave it: nothing is deleted",
                )
            )
            continue
        new_data = listing_bytes(make_listing((name, names[md5]) for name, md5 in entries.items()))
        names[id] = listing_id(new_data)
        if not cache.has(names[id]):
            yield names[id], new_data


def _tell_corrupt(legacy: LocalCache, id: ObjectId, reporter: Reporter) -> None:
    reporter.emit(
        Warned(
            text=f"the object '{id}' is left out: its content is not what its name says",
            hint=f"remove '{legacy.path_of(id)}', and fetch it again from where it is kept",
        )
    )
