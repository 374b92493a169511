"""A directory on an SSH server as `RemoteFiles`, by SFTP (asyncssh): `ssh://user@host:port/path`."""

import asyncio
import itertools
import os
import posixpath
import stat
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

import asyncssh

from offbranch.base.errors import MissingDataError, OffbranchError
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.paths import AbsPath
from offbranch.storage.hashing import READ_FLAGS
from offbranch.storage.links import temporary_name
from offbranch.storage.remote_files import RemoteFile, RemoteFiles, Write
from offbranch.storage.remote_setting import RemoteSetting
from offbranch.storage.remote_ssh_connection import Connection, SshTarget, read_target
from offbranch.storage.remote_ssh_errors import LOST, is_missing

T = TypeVar("T")
# asyncssh splits it into many requests that are under way at the same time.
_PIECE_BYTES = 4 << 20
# One request: most files are no longer, and the others would be asked for in vain.
_FIRST_BYTES = 32 << 10
_DIRECTORIES_AT_ONCE = 32
# A key or an ~/.ssh/config that cannot be read is a ValueError.
_ERRORS = (asyncssh.Error, OSError, ValueError)


def open_ssh(setting: RemoteSetting) -> RemoteFiles:
    """Opens a directory on a server; it need not be there before something is written.

    Raises:
        BadInputError: An option makes no sense.
    """
    return SshFiles(setting, read_target(setting))


class SshFiles:
    """Implements `RemoteFiles`. A process that is killed leaves at most a temporary file that nothing reads."""

    can_list = True
    can_write = True

    def __init__(self, setting: RemoteSetting, target: SshTarget) -> None:
        self.setting = setting
        self.jobs = target.n_sessions
        self._root = target.path
        self._connection = Connection(setting, target)
        self._temporary = temporary_name()
        self._serial = itertools.count()

    def find(self, key: str, *, version: str | None = None) -> RemoteFile | None:
        return self._run(self._find(key), key)

    def iter_files(self, prefix: str) -> Iterator[RemoteFile]:
        waiting = [prefix]
        while waiting:
            now, waiting = waiting[:_DIRECTORIES_AT_ONCE], waiting[_DIRECTORIES_AT_ONCE:]
            for files, directories in self._run(self._list(now), prefix):
                yield from files
                waiting.extend(directories)

    def read(self, key: str, *, version: str | None = None) -> bytes:
        parts: list[bytes] = []
        self.download(key, parts.append)
        return b"".join(parts)

    def download(self, key: str, write: Write, *, version: str | None = None) -> None:
        offset, size = 0, _FIRST_BYTES
        while True:
            piece = self._run(self._read(key, offset, size), key)
            if piece is None:
                raise MissingDataError(f"'{key}' is not in {self.setting.label}")
            if piece:
                write(piece)
            if len(piece) < size:
                return
            offset, size = offset + len(piece), _PIECE_BYTES

    def upload(self, source: AbsPath, key: str, *, on_bytes: Callable[[int], object] | None = None) -> RemoteFile:
        try:
            descriptor = os.open(source, READ_FLAGS)
        except OSError as error:
            raise OffbranchError(f"cannot read '{source}': {(error.strerror or str(error)).lower()}") from error

        async def fill(file: Any) -> int:
            offset = 0
            while data := os.pread(descriptor, _PIECE_BYTES, offset):
                await file.write(data, offset)
                offset += len(data)
                if on_bytes is not None:
                    on_bytes(len(data))
            return offset

        try:
            return self._run(self._put(key, fill), key)
        finally:
            os.close(descriptor)

    def write(self, key: str, data: bytes) -> RemoteFile:
        async def fill(file: Any) -> int:
            await file.write(data, 0)
            return len(data)

        return self._run(self._put(key, fill), key)

    def remove(self, keys: Iterable[str]) -> None:
        waiting = iter(keys)
        while some := list(itertools.islice(waiting, _DIRECTORIES_AT_ONCE)):
            self._run(self._remove(some), some[0])

    def close(self) -> None:
        self._connection.close()

    def _run(self, work: Coroutine[Any, Any, T], key: str) -> T:
        try:
            return self._connection.run(work)
        except _ERRORS as error:
            what = self._path(key) if isinstance(error, asyncssh.SFTPError) else ""
            raise self._connection.error(error, what) from error

    def _path(self, key: str) -> str:
        return posixpath.join(self._root, key) if key else self._root

    async def _find(self, key: str) -> RemoteFile | None:
        async with self._connection.session() as sftp:
            try:
                found = await sftp.stat(self._path(key))
            except asyncssh.SFTPError as error:
                if is_missing(error):
                    return None
                raise
        return _file(key, found) if stat.S_ISREG(found.permissions or 0) else None

    async def _list(self, prefixes: list[str]) -> list[tuple[list[RemoteFile], list[str]]]:
        return await asyncio.gather(*(self._list_one(prefix) for prefix in prefixes))

    async def _list_one(self, prefix: str) -> tuple[list[RemoteFile], list[str]]:
        """Returns the files of a directory and the keys of the directories in it."""
        files: list[RemoteFile] = []
        directories: list[str] = []
        async with self._connection.session() as sftp:
            try:
                async for entry in sftp.scandir(self._path(prefix)):
                    key = f"{prefix}/{entry.filename}" if prefix else entry.filename
                    mode = entry.attrs.permissions or 0
                    if entry.filename in (".", "..") or entry.filename.startswith(TEMPORARY_PREFIX):
                        continue
                    found = entry.attrs
                    if stat.S_ISLNK(mode):
                        found = await _followed(sftp, self._path(key))
                        mode = found.permissions or 0
                    if stat.S_ISDIR(mode):
                        directories.append(key)
                    elif stat.S_ISREG(mode):
                        files.append(_file(key, found))
            except asyncssh.SFTPError as error:
                if not await self._is_no_directory(sftp, prefix, error):
                    raise
        return files, directories

    async def _is_no_directory(self, sftp: Any, key: str, error: asyncssh.SFTPError) -> bool:
        if is_missing(error) or isinstance(error, asyncssh.SFTPNotADirectory):
            return True
        if not isinstance(error, asyncssh.SFTPFailure):
            return False
        # OpenSSH only says that it failed.
        return not stat.S_ISDIR((await sftp.stat(self._path(key))).permissions or 0)

    async def _read(self, key: str, offset: int, size: int) -> bytes | None:
        """Returns a piece of a file, shorter than asked at its end; None if there is no such file."""
        async with self._connection.session() as sftp:
            try:
                async with sftp.open(self._path(key), "rb") as file:
                    piece: bytes = await file.read(size, offset)
                    return piece
            except asyncssh.SFTPError as error:
                if is_missing(error):
                    return None
                if isinstance(error, asyncssh.SFTPFailure | asyncssh.SFTPFileIsADirectory):
                    found = await sftp.stat(self._path(key))
                    if not stat.S_ISREG(found.permissions or 0):
                        return None
                raise

    async def _put(self, key: str, fill: Callable[[Any], Awaitable[int]]) -> RemoteFile:
        path = self._path(key)
        directory = posixpath.dirname(path)
        temporary = posixpath.join(directory, f"{self._temporary}-{next(self._serial)}")
        async with self._connection.session() as sftp:
            try:
                file = await _create(sftp, directory, temporary)
                async with file:
                    size = await fill(file)
                await _replace(sftp, temporary, path)
            except LOST:
                raise
            except BaseException:
                await _discard(sftp, temporary)
                raise
        return RemoteFile(key, size)

    async def _remove(self, keys: list[str]) -> None:
        async def remove_one(key: str) -> None:
            async with self._connection.session() as sftp:
                await _discard(sftp, self._path(key), is_strict=True)

        await asyncio.gather(*(remove_one(key) for key in keys))


async def _create(sftp: Any, directory: str, path: str) -> Any:
    """Opens a new file; its directory is made only when it turns out to be missing, for that is rare."""
    try:
        return await sftp.open(path, "wb")
    except asyncssh.SFTPError as error:
        if not is_missing(error):
            raise
    await sftp.makedirs(directory, exist_ok=True)
    return await sftp.open(path, "wb")


async def _replace(sftp: Any, temporary: str, path: str) -> None:
    try:
        await sftp.posix_rename(temporary, path)
    except asyncssh.SFTPOpUnsupported:
        # Few servers lack it. Plain rename never replaces; objects are not replaced, so the gap is of no account.
        try:
            await sftp.rename(temporary, path)
        except asyncssh.SFTPError:
            await sftp.remove(path)
            await sftp.rename(temporary, path)


async def _followed(sftp: Any, path: str) -> Any:
    try:
        return await sftp.stat(path)
    except asyncssh.SFTPError as error:
        if is_missing(error):
            return asyncssh.SFTPAttrs()  # a link that leads nowhere
        raise


async def _discard(sftp: Any, path: str, *, is_strict: bool = False) -> None:
    try:
        await sftp.remove(path)
    except asyncssh.SFTPError as error:
        if is_strict and not is_missing(error):
            raise


def _file(key: str, found: Any) -> RemoteFile:
    return RemoteFile(key, found.size, f"{found.mtime or 0:x}-{found.size or 0:x}")
