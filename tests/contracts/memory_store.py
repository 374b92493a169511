"""An `ObjectStore` in a dictionary, for tests of what stands above it."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.storage.objects import Content, ObjectId


class MemoryStore:
    def __init__(self) -> None:
        self.objects: dict[ObjectId, bytes] = {}

    def has(self, id: ObjectId) -> bool:
        return id in self.objects

    def has_many(self, ids: Iterable[ObjectId]) -> frozenset[ObjectId]:
        return frozenset(self.objects.keys() & set(ids))

    def read_bytes(self, id: ObjectId) -> bytes:
        if id not in self.objects:
            raise MissingDataError(f"'{id}' is not there")
        return self.objects[id]

    def add_bytes(self, data: bytes, id: ObjectId | None = None) -> ObjectId:
        md5 = hashlib.md5(data).hexdigest()
        wanted = ObjectId(md5) if id is None else id
        if wanted.removesuffix(".dir") != md5:
            raise CorruptObjectError(f"'{wanted}' is not the hash of these bytes")
        self.objects[wanted] = data
        return wanted

    def add_file(self, path: AbsPath) -> Content:
        if not os.path.isfile(path):
            raise OffbranchError(f"cannot store '{path}': no regular file")
        with open(path, "rb") as file:
            data = file.read()
        executable = bool(os.stat(path).st_mode & stat.S_IXUSR)
        return Content(id=self.add_bytes(data), size=len(data), is_executable=executable)

    def iter_objects(self) -> Iterator[ObjectId]:
        return iter(tuple(self.objects))
