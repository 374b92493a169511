"""Cache objects at a data remote: the layout of the cache itself below its url, through `RemoteFiles`.

A directory of this machine is a `LocalCache` instead (`storage/connections.py`): the layout is the same, and loops over
objects are shorter.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.storage.hashing import changing_error, digest_file, hash_bytes, is_unchanged
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import DIRECTORY_SUFFIX, EMPTY_FILE, Content, ObjectId, parse_object_id
from offbranch.storage.parallel import Stop, run_parallel
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.remote_setting import RemoteSetting
from offbranch.storage.retry import with_retries

_OBJECTS = "files/md5"
# From so many objects on, one listing (1,000 keys a request) is cheaper than a question for each.
_LIST_FROM = 100
# A remote with so many times more objects than we ask about is not listed to its end.
_TOO_MANY = 30


class RemoteStore:
    """An `ObjectStore` below a url; safe to use from several threads.

    Args:
        files: Where.
        jobs: Calls at a time; None for what the kind of remote likes.
        legacy: The objects of DVC 2, which lie at the top.
    """

    def __init__(self, files: RemoteFiles, *, jobs: int | None = None, legacy: bool = False) -> None:
        self.files = files
        self.jobs = jobs or files.jobs
        self._prefix = "" if legacy else f"{_OBJECTS}/"
        self._legacy = legacy

    def key_of(self, id: ObjectId) -> str:
        """Returns where an object is, or would be."""
        return f"{self._prefix}{id[:2]}/{id[2:]}"

    def has(self, id: ObjectId) -> bool:
        """Tells whether an object is there; an empty file is what is left of one, unless the object is the empty one."""
        found = with_retries(lambda: self.files.find(self.key_of(id)))
        return found is not None and (found.size != 0 or id == EMPTY_FILE)

    def has_many(self, ids: Iterable[ObjectId]) -> frozenset[ObjectId]:
        """Returns those of the ids that are there, by one listing or by one question each."""
        wanted = set(ids)
        found: set[ObjectId] = set()
        if self.files.can_list and len(wanted) >= _LIST_FROM:
            limit = _TOO_MANY * len(wanted) + 10_000
            n_listed = 0
            for id, size in islice(self.iter_sized(), limit):
                n_listed += 1
                if id in wanted and (size or id == EMPTY_FILE):
                    found.add(id)
            if n_listed < limit:
                return frozenset(found)
        rest = sorted(wanted - found)
        for id, answer in run_parallel(self.has, rest, jobs=self.jobs, stop=Stop()):
            if isinstance(answer, OffbranchError):
                raise answer
            if answer:
                found.add(id)
        return frozenset(found)

    def read_bytes(self, id: ObjectId) -> bytes:
        """Returns the content of a small object, unchecked."""
        return with_retries(lambda: self.files.read(self.key_of(id)))

    def add_bytes(self, data: bytes, id: ObjectId | None = None) -> ObjectId:
        """Stores bytes; see `ObjectStore.add_bytes`."""
        md5 = hash_bytes(data)
        wanted = ObjectId(md5) if id is None else id
        if md5 != wanted.removesuffix(DIRECTORY_SUFFIX):
            raise CorruptObjectError(f"cannot store '{wanted}': the content has the hash '{md5}'")
        if not self.has(wanted):
            with_retries(lambda: self.files.write(self.key_of(wanted), data))
        return wanted

    def add_file(self, path: AbsPath) -> Content:
        """Hashes and stores a file; see `ObjectStore.add_file`."""
        md5, before = digest_file(path)
        id = ObjectId(md5)
        if not self.has(id):
            with_retries(lambda: self.files.upload(path, self.key_of(id)))
            if not _is_as_before(path, before):
                # What was sent need not be what was hashed, and an object that is not what its name says helps nobody.
                with_retries(lambda: self.files.remove([self.key_of(id)]))
                raise changing_error(path)
        return Content(id=id, size=before.st_size, is_executable=bool(before.st_mode & 0o100))

    def iter_objects(self) -> Iterator[ObjectId]:
        """Yields the id of every object; other files are left out."""
        for id, _ in self.iter_sized():
            yield id

    def iter_sized(self) -> Iterator[tuple[ObjectId, int]]:
        """Yields the id of every object with its size, 0 where the server does not say."""
        for file in self.files.iter_files(self._prefix.rstrip("/")):
            directory, _, name = file.key.removeprefix(self._prefix).partition("/")
            if len(directory) == 2 and "/" not in name and len(name) >= 30:
                try:
                    yield parse_object_id(directory + name), file.size or 0
                except ValueError:
                    continue

    def remove(self, ids: Iterable[ObjectId]) -> None:
        """Removes objects."""
        self.files.remove(map(self.key_of, ids))


def _is_as_before(path: AbsPath, before: os.stat_result) -> bool:
    try:
        return is_unchanged(before, os.stat(path))
    except FileNotFoundError:
        return False


Store = LocalCache | RemoteStore


def present_in(store: Store, ids: Collection[ObjectId]) -> frozenset[ObjectId]:
    """Returns those of the ids under whose names a remote has something; it is not read."""
    return store.present(ids) if isinstance(store, LocalCache) else store.has_many(ids)


def missing_listing(id: ObjectId, setting: RemoteSetting) -> MissingDataError:
    """Returns the error for a directory whose list of files is nowhere."""
    return MissingDataError(
        f"the directory object '{id}' is neither in the cache nor at the {setting.label}",
        hint="push it from a clone that has it, or make it again with 'ob repro'",
    )
