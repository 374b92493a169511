"""Writing the objects of a cache on disk: directories, temporary names, modes; what a failure is called.

An object is written under a temporary name in its directory and renamed. Which objects are there is not known here.
"""

import errno
import itertools
import os

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath
from offbranch.storage.links import CREATE_FLAGS, temporary_name, write_all

MODE = 0o444


class ObjectWriter:
    """Of one cache; used through it.

    Args:
        root: The cache directory.
        objects: Where its objects are.
        shared_group: Directories get mode 02775, so that a group can share the cache.
        label: How messages name a data remote whose directory this is.

    Attributes:
        directories: First two digits -> the directory of such ids, with a separator at its end; those that are known.
        fresh: The digits of those that this handle has made.
    """

    def __init__(self, root: AbsPath, objects: str, *, shared_group: bool, label: str) -> None:
        self.directories: dict[str, str] = {}
        self.fresh: set[str] = set()
        self._root, self._objects = root, objects
        self._shared_group, self._label = shared_group, label
        self._temporary = temporary_name()
        self._numbers = itertools.count()
        self._must_chmod: bool | None = None

    def open_new(self) -> tuple[AbsPath, int]:
        """Makes an empty file for an object that comes in piece by piece; may be called from several threads."""
        self._make_directory(self._objects)
        path = AbsPath(os.path.join(self._objects, f"{self._temporary}-{next(self._numbers)}"))
        try:
            return path, os.open(path, CREATE_FLAGS, MODE)
        except OSError as error:
            raise self.error(error) from error

    def write(self, directory: str, id: str, data: bytes) -> None:
        """Writes an object into its directory (given with a separator at its end)."""
        temporary = directory + self._temporary
        try:
            own = self._create(temporary)
            try:
                if os.write(own, data) != len(data):
                    os.lseek(own, 0, os.SEEK_SET)
                    write_all(own, data)  # a full disk takes a part, and says so only at the second call
                if self._must_chmod is not False:
                    self.protect(own)
            finally:
                os.close(own)
            os.replace(temporary, directory + id[2:])
        except OSError as error:
            remove_file(AbsPath(temporary))
            raise self.error(error) from error
        except BaseException:
            remove_file(AbsPath(temporary))
            raise

    def protect(self, descriptor: int) -> None:
        """Sets the mode of a new object if the umask took a part of it away; looks only once per handle."""
        if self._must_chmod is None:
            self._must_chmod = os.fstat(descriptor).st_mode & 0o777 != MODE
        if self._must_chmod:
            os.fchmod(descriptor, MODE)

    def fan_out(self, prefix: str) -> str:
        """Returns the directory of the ids that start with two digits, with a separator at its end; makes it."""
        known = self.directories.get(prefix)
        if known is None:
            path = os.path.join(self._objects, prefix)
            if self._make_directory(path):
                self.fresh.add(prefix)
            known = self.directories[prefix] = path + os.sep
        return known

    def error(self, error: OSError) -> OffbranchError:
        """Returns what to say of a failure."""
        reason = (error.strerror or str(error)).lower()
        way_out = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check its permissions"
        if self._label:
            return RemoteError(f"{self._label} at '{self._root}' failed: {reason}", hint=f"{way_out} there")
        hint = f"{way_out}, or choose another place (cache.dir in .dvc/config)"
        return OffbranchError(f"cannot write to the cache '{self._root}': {reason}", hint=hint)

    def _create(self, temporary: str) -> int:
        try:
            return os.open(temporary, CREATE_FLAGS, MODE)
        except FileNotFoundError:  # somebody removed a directory that we remember as there
            self._make_directory(os.path.dirname(temporary))
            return os.open(temporary, CREATE_FLAGS, MODE)

    def _make_directory(self, path: str) -> bool:
        """Makes a directory and those above it; returns whether it was not there before."""
        try:
            os.mkdir(path)
        except FileExistsError:
            return False
        except FileNotFoundError:
            self._make_directory(os.path.dirname(path))
            return self._make_directory(path)
        except OSError as error:
            raise self.error(error) from error
        if self._shared_group and len(path) >= len(self._root):
            os.chmod(path, 0o2775)
        return True
