"""The cache on disk, in DVC 3's layout: `files/md5/xx/yyyy`, read-only, each object written once.

An object is written under a temporary name in a directory of the cache and renamed, so whatever stands under an
object's name is whole; a process killed in between leaves at most a temporary file that nothing reads. An object with
mode 0444 is trusted; with any other mode it is hashed again, and set aside if it is not what its name says.
"""

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Sequence

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.storage.adding import Target, add_files, add_with_status
from offbranch.storage.hashing import hash_bytes, hash_file, hash_text_normalised, new_md5, read_error
from offbranch.storage.incoming import Incoming
from offbranch.storage.links import DEFAULT_LINK_KINDS, Linker, LinkKind
from offbranch.storage.listing import Listing, parse_listing
from offbranch.storage.meter import Meter
from offbranch.storage.object_writer import MODE, ObjectWriter
from offbranch.storage.objects import DIRECTORY_SUFFIX, EMPTY_FILE, Content, ObjectId, is_directory
from offbranch.storage.set_aside import set_aside

_NOT_OURS = (errno.EPERM, errno.EACCES, errno.EROFS)
_LARGE = 1 << 16  # from here on it pays to remember that an object was hashed; see `verify.py`
_HEX_DIGITS = frozenset("0123456789abcdef")


class LocalCache:
    """An `ObjectStore` in a directory of this machine. Nothing is made on disk before the first object is added.

    Args:
        root: The cache directory (`.dvc/cache`, or what `cache.dir` says).
        link_kinds: How files of the workspace are made from objects, first choice first.
        shared_group: Directories get mode 02775, so that a group can share the cache.
        legacy: See the objects of DVC 2 (`<root>/xx/yyyy`) in place of those of DVC 3.
        label: How messages name a data remote whose directory this is.

    Attributes:
        corrupt: Objects that were found not to be what their names say, and removed, while this handle was used.
        written: Large objects that this handle has hashed and stored, until `verify.record_written_objects` takes them.
    """

    def __init__(
        self,
        root: AbsPath,
        *,
        link_kinds: Sequence[LinkKind] = DEFAULT_LINK_KINDS,
        shared_group: bool = False,
        legacy: bool = False,
        label: str = "",
    ) -> None:
        self.root = root
        self.linker = Linker(link_kinds)
        self.is_legacy = legacy
        self._objects = root if legacy else os.path.join(root, "files", "md5")
        self._writer = ObjectWriter(root, self._objects, shared_group=shared_group, label=label)
        self._listings: dict[ObjectId, Listing] = {}
        self.corrupt: set[ObjectId] = set()
        self.written: list[ObjectId] = []

    def legacy_view(self) -> "LocalCache":
        """Returns the objects that DVC 2 left in this cache, for reading; their hash is `hash_text_normalised`."""
        return LocalCache(self.root, link_kinds=self.linker.kinds, legacy=True)

    def path_of(self, id: ObjectId) -> AbsPath:
        """Returns where an object is, or would be."""
        return AbsPath(f"{self._objects}{os.sep}{id[:2]}{os.sep}{id[2:]}")

    def has(self, id: ObjectId) -> bool:
        """Tells whether an object is there; a suspicious one is checked, and set aside if it is wrong."""
        try:
            status = os.stat(self.path_of(id))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise read_error(self.path_of(id), error) from error
        if status.st_mode & 0o777 == MODE and (status.st_size or id == EMPTY_FILE):
            return True
        return self.verify(id)

    def has_many(self, ids: Iterable[ObjectId]) -> frozenset[ObjectId]:
        """Returns those of the ids that are there."""
        objects, status_of, sep = self._objects, os.stat, os.sep
        found: list[ObjectId] = []
        for id in ids:  # the plain case without a call: this runs once per file of a directory
            try:
                status = status_of(f"{objects}{sep}{id[:2]}{sep}{id[2:]}")
            except FileNotFoundError:
                continue
            except OSError:
                status = None
            if (status is not None and status.st_mode & 0o777 == MODE and status.st_size) or self.has(id):
                found.append(id)
        return frozenset(found)

    def has_all(self, id: ObjectId) -> bool:
        """Tells whether an object is there, and for a directory object every file of it too."""
        if not self.has(id):
            return False
        if not is_directory(id):
            return True
        wanted = sorted(set(self.listing(id).entries.values()))  # in order, so that one directory is read at a time
        return len(self.has_many(wanted)) == len(wanted)

    def fingerprint(self) -> tuple[bytes, int]:
        """Returns a hash that changes whenever an object comes or goes, and the last time in ns one did.

        It is made of the modification times of the 256 directories, so it costs the same for every size of cache.
        """
        parts, last_ns = [], 0
        for number in range(256):
            try:
                status = os.stat(f"{self._objects}{os.sep}{number:02x}")
            except OSError:
                parts.append("-")
            else:
                parts.append(f"{status.st_ino} {status.st_mtime_ns}")
                last_ns = max(last_ns, status.st_mtime_ns)
        return new_md5("\n".join(parts).encode("ascii")).digest(), last_ns

    def verify(self, id: ObjectId) -> bool:
        """Hashes an object again: protects it if it is right, sets it aside if it is wrong, and tells which.

        An object that is not there is not right either.
        """
        path = self.path_of(id)
        if not os.path.exists(path):
            return False
        if self.hash_for(id, path) != id.removesuffix(DIRECTORY_SUFFIX):
            self.give_up(id)
            return False
        try:
            if os.stat(path).st_mode & 0o222:  # DVC lets a link to a program keep its x: 0544
                os.chmod(path, MODE)
        except OSError as error:
            # Another user's object, or a read-only disk: what was found out about it holds all the same.
            if error.errno not in _NOT_OURS:
                raise self._writer.error(error) from error
        return True

    def give_up(self, id: ObjectId) -> bool:
        """Moves a corrupt object out of the way (`set_aside.py`); returns False if this process may not."""
        self.corrupt.add(id)
        try:
            set_aside(self.root, self.path_of(id), id)
        except OffbranchError as error:
            cause = error.__cause__
            if isinstance(cause, FileNotFoundError):  # somebody else was faster
                return True
            if not isinstance(cause, OSError) or cause.errno not in _NOT_OURS:
                raise
            return False
        return True

    def hash_for(self, id: ObjectId, path: AbsPath) -> str:
        """Returns the hash of a file by the rule that the object's name was made with: a file of DVC 2 has the old one."""
        return hash_text_normalised(path) if self.is_legacy and not is_directory(id) else hash_file(path)[0]

    def read_bytes(self, id: ObjectId) -> bytes:
        """Returns the content of a small object, unchecked.

        Raises:
            MissingDataError: It is not there.
        """
        try:
            with open(self.path_of(id), "rb") as file:
                return file.read()
        except FileNotFoundError as error:
            raise MissingDataError(
                f"'{id}' is not in the cache '{self.root}'",
                hint="make it again with 'ob repro', or fetch it from where it is kept",
            ) from error
        except OSError as error:
            raise read_error(self.path_of(id), error) from error

    def listing(self, id: ObjectId) -> Listing:
        """Returns what a directory object lists; its bytes are checked against its name.

        Raises:
            MissingDataError: It is not in the cache.
            CorruptObjectError: It is not what its name says; it has been set aside.
        """
        known = self._listings.get(id)
        if known is not None:
            return known
        data = self.read_bytes(id)
        if hash_bytes(data) + DIRECTORY_SUFFIX != id:
            self.give_up(id)
            raise CorruptObjectError(
                f"the directory object '{id}' was corrupt in the cache and has been set aside",
                hint="make it again with 'ob repro', or fetch it from where it is kept",
            )
        listing = self._listings[id] = parse_listing(data, path=self.path_of(id))
        return listing

    def iter_objects(self) -> Iterator[ObjectId]:
        """Yields the id of every object; other files are left out."""
        for directory in self._fan_out_directories():
            for name in _names(os.path.join(self._objects, directory)):
                digits = name.removesuffix(DIRECTORY_SUFFIX)
                if len(digits) == 30 and _HEX_DIGITS.issuperset(digits):
                    yield ObjectId(directory + name)

    def add_bytes(self, data: bytes, id: ObjectId | None = None) -> ObjectId:
        """Stores bytes; see `ObjectStore.add_bytes`."""
        md5 = hash_bytes(data)
        wanted = ObjectId(md5) if id is None else id
        if md5 != wanted.removesuffix(DIRECTORY_SUFFIX):
            raise CorruptObjectError(f"cannot store '{wanted}': the content has the hash '{md5}'")
        self._store(wanted, data)
        return wanted

    def write_object(self, id: ObjectId, data: bytes) -> None:
        """Writes an object whose bytes the caller has hashed, whether it is there or not."""
        self._writer.write(self._writer.fan_out(id[:2]), id, data)

    def incoming(self) -> Incoming:
        """Returns a context for an object that comes in piece by piece; may be called from several threads."""
        path, descriptor = self._writer.open_new()
        return Incoming(path, descriptor, give_name=self._give_name, explain=self._writer.error)

    def present(self, ids: Collection[ObjectId]) -> frozenset[ObjectId]:
        """Returns those of the ids under whose names something stands, trusted or not; the files are not read.

        An empty file is what a copy that was cut short has left, unless the object is the empty one.
        """
        sizes = ((id, size_of(self.path_of(id))) for id in sorted(ids))  # in order: one directory after the other
        return frozenset(id for id, size in sizes if size or (size == 0 and id == EMPTY_FILE))

    def add_listing(self, data: bytes, id: ObjectId, listing: Listing | None = None) -> None:
        """Stores a directory object. To be called after its files are stored: its presence says they are there.

        Args:
            data: Its bytes.
            id: Its id.
            listing: What it lists, if the caller knows: it is then not read again.
        """
        self._store(id, data)
        if listing is not None:
            self._listings[id] = listing

    def add_file(self, path: AbsPath) -> Content:
        """Hashes and stores a file in one pass; see `ObjectStore.add_file`."""
        md5, status = self.add_with_status(path)
        executable = bool(status.st_mode & 0o100)
        return Content(id=ObjectId(md5), size=status.st_size, is_executable=executable)

    def add_with_status(self, path: AbsPath, meter: Meter | None = None) -> tuple[str, os.stat_result]:
        """Stores a file; returns its md5 and what the file system said of it just before it was read."""
        return add_with_status(self._target(), path, meter)

    def add_files(
        self, paths: Iterable[str], sizes: Iterable[int], mtimes_ns: Iterable[int], meter: Meter | None = None
    ) -> list[str]:
        """Stores many files whose size and time stamp are known, and returns their md5s in the same order."""
        return add_files(self._target(), paths, sizes, mtimes_ns, meter)

    def _target(self) -> Target:
        may_clone = LinkKind.REFLINK in self.linker.kinds
        return Target(writer=self._writer, has=self.has, incoming=self.incoming, may_clone=may_clone)

    def _give_name(self, own: Incoming, id: ObjectId, mtime_ns: int | None) -> None:
        self._writer.protect(own.descriptor)
        if mtime_ns is not None and os.utime in os.supports_fd:
            # A hard link shows this time; the present one would be too young for the state database.
            os.utime(own.descriptor, ns=(mtime_ns, mtime_ns))
        if not self.has(id):
            is_large = os.fstat(own.descriptor).st_size >= _LARGE
            os.replace(own.path, self._writer.fan_out(id[:2]) + id[2:])
            if is_large:
                self.written.append(id)

    def _store(self, id: ObjectId, data: bytes) -> None:
        if not self.has(id):
            self._writer.write(self._writer.fan_out(id[:2]), id, data)

    def _fan_out_directories(self) -> list[str]:
        return [name for name in _names(self._objects) if len(name) == 2 and _HEX_DIGITS.issuperset(name)]


def size_of(path: str) -> int | None:
    """Returns the size of a file, None where there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
