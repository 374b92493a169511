"""A directory of this machine (or mounted here) as `RemoteFiles`."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator

from offbranch.base.errors import MissingDataError, OffbranchError, RemoteError
from offbranch.base.files import TEMPORARY_PREFIX, remove_file
from offbranch.base.paths import AbsPath
from offbranch.storage.hashing import CHUNK_SIZE, READ_FLAGS, new_md5
from offbranch.storage.links import CREATE_FLAGS, copy_range, temporary_name, write_all
from offbranch.storage.remote_files import RemoteFile, Write
from offbranch.storage.remote_setting import RemoteSetting

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_MAY_PASS = frozenset((errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN))


def open_directory(setting: RemoteSetting) -> "DirectoryFiles":
    """Opens a directory; it need not be there before something is written."""
    return DirectoryFiles(setting)


class DirectoryFiles:
    """Implements `RemoteFiles`. A process that is killed leaves at most a temporary file that nothing reads."""

    can_list = True
    can_write = True
    jobs = 1  # the processor is what limits it; threads would only take turns

    def __init__(self, setting: RemoteSetting) -> None:
        self.setting = setting
        self.root = AbsPath(setting.url)
        self._temporary = temporary_name()

    def find(self, key: str, *, version: str | None = None) -> RemoteFile | None:
        try:
            status = os.stat(self._path(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._error(error) from error
        if not os.path.isfile(self._path(key)):
            return None
        return RemoteFile(key, status.st_size, _tag(status))

    def iter_files(self, prefix: str) -> Iterator[RemoteFile]:
        waiting: list[tuple[str, str]] = [(self._path(prefix), f"{prefix}/" if prefix else "")]
        for directory, above in waiting:
            try:
                with os.scandir(directory) as entries:
                    for entry in entries:
                        if entry.is_dir():
                            waiting.append((entry.path, f"{above}{entry.name}/"))
                        elif entry.is_file() and not entry.name.startswith(TEMPORARY_PREFIX):
                            status = entry.stat()
                            yield RemoteFile(above + entry.name, status.st_size, _tag(status))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise self._error(error) from error

    def read(self, key: str, *, version: str | None = None) -> bytes:
        parts: list[bytes] = []
        self.download(key, parts.append)
        return b"".join(parts)

    def download(self, key: str, write: Write, *, version: str | None = None) -> None:
        try:
            source = os.open(self._path(key), READ_FLAGS)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise MissingDataError(f"'{key}' is not in {self.setting.label}") from error
        except OSError as error:
            raise self._error(error) from error
        try:
            while data := self._read(source, key):
                write(data)
        finally:
            os.close(source)

    def upload(self, source: AbsPath, key: str, *, on_bytes: Callable[[int], object] | None = None) -> RemoteFile:
        try:
            descriptor = os.open(source, READ_FLAGS)
        except OSError as error:
            raise OffbranchError(f"cannot read '{source}': {_reason(error)}") from error
        try:

            def fill(own: int) -> None:
                while n_copied := copy_range(descriptor, own, CHUNK_SIZE):
                    if on_bytes is not None:
                        on_bytes(n_copied)

            return self._put(key, fill)
        finally:
            os.close(descriptor)

    def write(self, key: str, data: bytes) -> RemoteFile:
        return self._put(key, lambda own: write_all(own, data))

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            try:
                remove_file(self._path(key))
            except OSError as error:
                raise self._error(error) from error

    def close(self) -> None:
        """Has nothing to end."""

    def _put(self, key: str, fill: Callable[[int], object]) -> RemoteFile:
        path = self._path(key)
        directory = os.path.dirname(path)
        # Threads write side by side: each its own temporary name.
        temporary = AbsPath(os.path.join(directory, f"{self._temporary}-{new_md5(key.encode()).hexdigest()[:12]}"))
        try:
            os.makedirs(directory, exist_ok=True)
            own = os.open(temporary, CREATE_FLAGS, 0o666)
            try:
                fill(own)
                status = os.fstat(own)
            finally:
                os.close(own)
            os.replace(temporary, path)
        except OSError as error:
            _discard(temporary)
            raise self._error(error) from error
        except BaseException:
            _discard(temporary)
            raise
        return RemoteFile(key, status.st_size, _tag(status))

    def _path(self, key: str) -> AbsPath:
        return AbsPath(os.path.join(self.root, *key.split("/"))) if key else self.root

    def _read(self, source: int, key: str) -> bytes:
        try:
            return os.read(source, CHUNK_SIZE)
        except IsADirectoryError as error:
            raise MissingDataError(f"'{key}' is not in {self.setting.label}") from error
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> RemoteError:
        hint = "free some space there" if error.errno in _FULL else f"check '{self.root}' and its permissions"
        return RemoteError(
            f"{self.setting.label} at '{self.root}' failed: {_reason(error)}",
            hint=hint,
            is_transient=error.errno in _MAY_PASS,
        )


def _discard(path: AbsPath) -> None:
    try:
        remove_file(path)
    except OSError:  # what failed before says more
        pass


def _tag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
