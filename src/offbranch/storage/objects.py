"""What the cache stores and how it is named: object ids, the content at a path, and the `ObjectStore` seam.

An object id is the md5 of the bytes as 32 lower-case hex digits; a directory is the md5 of its listing followed by
`.dir`. Nothing here touches a disk.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NewType, Protocol

from offbranch.base.paths import AbsPath
from offbranch.base.records import field, record

ObjectId = NewType("ObjectId", str)

DIRECTORY_SUFFIX = ".dir"
EMPTY_FILE = ObjectId("d41d8cd98f00b204e9800998ecf8427e")
_HEX_DIGITS = frozenset("0123456789abcdef")


@record
class Content:
    """What is at a path.

    Attributes:
        size: Bytes; of a directory the sum over its files.
        n_files: Number of files of a directory, None for a file.
        is_executable: The user may execute the file; always False for a directory.
    """

    id: ObjectId
    size: int
    n_files: int | None = None
    is_executable: bool = False


@record
class Tag:
    """What a .dvc file or dvc.lock records of a url.

    Attributes:
        md5: Of content that was read, or of the list of a directory's tags; None for what the server tells by a tag.
        size: Bytes.
        n_files: Of a directory.
        extra: `etag`, `checksum`, `version_id`, `files`.
    """

    md5: str | None = None
    size: int | None = None
    n_files: int | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


def is_directory(id: ObjectId) -> bool:
    """Tells whether an id names a directory object."""
    return id.endswith(DIRECTORY_SUFFIX)


def parse_object_id(text: str) -> ObjectId:
    """Returns text as an object id.

    Raises:
        ValueError: It is not 32 lower-case hex digits with or without `.dir`.
    """
    if not is_object_id(text):
        raise ValueError(f"'{text}' is not an object id")
    return ObjectId(text)


def is_object_id(text: str) -> bool:
    """Tells whether text has the form of an object id. What has not must not become part of a path."""
    digits = text.removesuffix(DIRECTORY_SUFFIX)
    return len(digits) == 32 and _HEX_DIGITS.issuperset(digits)


class ObjectStore(Protocol):
    """A set of immutable objects, each found by the hash of its bytes.

    Every call is idempotent: adding what is there changes nothing. An object is either wholly there or not at all, also
    when the process is killed inside a call. One instance is used from one thread at a time; several processes may use
    the same store at once.
    """

    def has(self, id: ObjectId) -> bool:
        """Tells whether the object is there and may be trusted. Files of a directory object are not looked at.

        Raises:
            RemoteError: The store cannot be asked.
        """
        ...

    def has_many(self, ids: Iterable[ObjectId]) -> frozenset[ObjectId]:
        """Returns those of the ids that are there, as `has` says it, in as few requests as the store allows."""
        ...

    def read_bytes(self, id: ObjectId) -> bytes:
        """Returns the content of an object small enough for memory; meant for directory objects and small files.

        Raises:
            MissingDataError: The object is not there.
        """
        ...

    def add_bytes(self, data: bytes, id: ObjectId | None = None) -> ObjectId:
        """Stores bytes and returns their id.

        Args:
            data: The content.
            id: The id it must have, if the caller knows it; needed for a directory object, whose id has `.dir`.

        Raises:
            CorruptObjectError: The bytes do not have the hash that `id` names; nothing is stored.
        """
        ...

    def add_file(self, path: AbsPath) -> Content:
        """Stores the content of a file; the file itself is not changed.

        Raises:
            OffbranchError: The file cannot be read, is not a regular file, or changes while it is read.
        """
        ...

    def iter_objects(self) -> Iterator[ObjectId]:
        """Yields the id of every object, in no particular order, leaving out unfinished ones."""
        ...
