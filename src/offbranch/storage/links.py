"""How a file of the workspace is made from a cache object: reflink, hard link, symbolic link or copy.

A file appears under its name only when it is complete, and replaces what was there in one step. Reflinks and copies are
the user's own writable files; hard and symbolic links are the read-only cache object itself.
"""

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from enum import Enum

from offbranch.base.errors import OffbranchError, UsageError, did_you_mean
from offbranch.base.files import TEMPORARY_PREFIX, remove_file
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.storage.hashing import READ_FLAGS, read_error
from offbranch.storage.objects import EMPTY_FILE

CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FIRST_READ = 1 << 16
_CHUNK = 8 << 20
_FICLONE = 0x40049409  # linux/fs.h
_EMPTY_OBJECT = os.path.join(EMPTY_FILE[:2], EMPTY_FILE[2:])
# What a file system answers when it does not offer a kind of link (or not between these two places).
_NOT_OFFERED = frozenset(
    getattr(errno, name, -1)
    for name in ("EOPNOTSUPP", "ENOTSUP", "ENOTTY", "ENOSYS", "EXDEV", "EPERM", "EINVAL", "ETXTBSY")
)


class LinkKind(Enum):
    REFLINK = "reflink"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    COPY = "copy"


DEFAULT_LINK_KINDS = (LinkKind.REFLINK, LinkKind.COPY)
_OBJECT_ITSELF = frozenset({LinkKind.HARDLINK, LinkKind.SYMLINK})


def parse_link_kinds(text: str) -> tuple[LinkKind, ...]:
    """Returns the kinds of a comma list such as `reflink,copy`, in its order.

    Raises:
        UsageError: A word is none of the four kinds, or there is none.
    """
    known = {kind.value: kind for kind in LinkKind}
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise UsageError(
                f"'{word}' is not a kind of link", hint=did_you_mean(word, known) or f"use {', '.join(known)}"
            )
    if not words:
        raise UsageError("no kind of link is named", hint=f"use {', '.join(known)}")
    return tuple(known[word] for word in dict.fromkeys(words))


class Linker:
    """Makes files from cache objects by the first kind that works, and remembers per file system what does not.

    Used from one thread. If interrupted, the destination holds what it held before, or the whole new content.
    """

    def __init__(self, kinds: Sequence[LinkKind]) -> None:
        self.kinds = tuple(kinds)
        self._offered: dict[int, tuple[LinkKind, ...]] = {}
        self._devices: dict[str, int] = {}
        self._temporary = temporary_name()

    def link(
        self,
        source: str,
        dest: str,
        *,
        is_executable: bool = False,
        mtime_ns: int | None = None,
        data: bytes | None = None,
    ) -> LinkKind:
        """Makes `dest` have the content of `source`, replacing a file or link that is there.

        Args:
            source: The cache object.
            dest: Where; its directory exists.
            is_executable: The user may execute it. Such a file is never the cache object itself, and an empty one
                neither, because the object's mode and its one copy must not be shared that way.
            mtime_ns: Modification time for a copy or reflink; None for the present.
            data: The content, where the caller has read it already: a copy then reads nothing.

        Raises:
            OffbranchError: None of the kinds works, or the object cannot be read or `dest` not be written.
        """
        kind = self._first_that_works(
            self._kinds_for(source, dest, is_executable), source, dest, is_executable, mtime_ns, data
        )
        if kind is None:
            raise OffbranchError(
                f"cannot make '{dest}': none of {', '.join(kind.value for kind in self.kinds)} works here",
                hint="set cache.type to 'reflink,copy' in .dvc/config",
            )
        return kind

    def relink(self, source: str, dest: str, *, is_executable: bool = False, mtime_ns: int) -> LinkKind | None:
        """As `link`, for a file that has the content already: nothing is done when only a copy could be made.

        A kind that comes after `copy` in the list is not tried either.
        """
        kinds = self._kinds_for(source, dest, is_executable)
        if LinkKind.COPY in kinds:
            kinds = kinds[: kinds.index(LinkKind.COPY)]
        return self._first_that_works(kinds, source, dest, is_executable, mtime_ns)

    @property
    def prefers_copies(self) -> bool:
        """Tells whether files are mostly made by reading and writing: a copy is the first or the second choice."""
        return LinkKind.COPY in self.kinds[:2] and self.kinds[0] not in _OBJECT_ITSELF

    def may_link(self, directory: str) -> bool:
        """Tells whether anything better than a copy may work for files in a directory, as far as is known by now."""
        return self.offered(directory)[0] is not LinkKind.COPY

    def offered(self, directory: str) -> tuple[LinkKind, ...]:
        """Returns the kinds that may work for files in a directory, best first, as far as is known by now."""
        device = self._devices.get(directory)
        if device is None:
            try:
                device = self._devices[directory] = os.stat(directory).st_dev
            except OSError as error:
                raise read_error(directory, error) from error
        return self._offered.get(device, self.kinds)

    def _kinds_for(self, source: str, dest: str, is_executable: bool) -> tuple[LinkKind, ...]:
        kinds = self.offered(os.path.dirname(dest))
        if (is_executable or source.endswith(_EMPTY_OBJECT)) and not _OBJECT_ITSELF.isdisjoint(kinds):
            own_kinds = [kind for kind in kinds if kind not in _OBJECT_ITSELF]
            return tuple(own_kinds) if LinkKind.COPY in own_kinds else (*own_kinds, LinkKind.COPY)
        return kinds

    def _first_that_works(
        self,
        kinds: Sequence[LinkKind],
        source: str,
        dest: str,
        is_executable: bool,
        mtime_ns: int | None,
        data: bytes | None = None,
    ) -> LinkKind | None:
        directory, _, _ = dest.rpartition(os.sep)
        temporary = directory + os.sep + self._temporary
        for kind in kinds:
            try:
                if data is not None and kind is LinkKind.COPY:
                    _write(data, temporary, is_executable, mtime_ns)
                else:
                    _make(kind, source, temporary, is_executable, mtime_ns)
                os.replace(temporary, dest)
            except OSError as error:
                remove_file(AbsPath(temporary))
                # EMLINK, one object with too many names, says nothing of the others.
                if error.errno != errno.EMLINK:
                    if kind is LinkKind.COPY or error.errno not in _NOT_OFFERED:
                        raise _write_error(source, dest, error) from error
                    self._rule_out(directory, kind)
            except BaseException:
                remove_file(AbsPath(temporary))
                raise
            else:
                if kind is LinkKind.HARDLINK:
                    # Renaming one name of a file onto another of the same file does nothing and leaves both.
                    remove_file(AbsPath(temporary))
                return kind
        return None

    def _rule_out(self, directory: str, kind: LinkKind) -> None:
        self._offered[self._devices[directory]] = tuple(k for k in self.offered(directory) if k is not kind)


def make_link(cache_path: AbsPath, dest: AbsPath, kinds: Sequence[LinkKind], executable: bool = False) -> LinkKind:
    """Makes one file from a cache object; see `Linker.link`, which is faster for many."""
    return Linker(kinds).link(cache_path, dest, is_executable=executable)


def link_kind_of(path: AbsPath, cache_path: AbsPath) -> LinkKind | None:
    """Returns how a file hangs on a cache object: symlink, hardlink, or None for a file of its own (or none at all).

    A reflink cannot be told from a copy.
    """
    try:
        if os.path.islink(path):
            return LinkKind.SYMLINK if os.path.samefile(path, cache_path) else None
        return LinkKind.HARDLINK if os.path.samefile(path, cache_path) else None
    except OSError:
        return None


def protect(path: AbsPath) -> None:
    """Makes a cache object read-only for everyone."""
    os.chmod(path, 0o444)


def unprotect(path: AbsPath) -> None:
    """Turns links into writable files of their own, in a whole directory or for one file; idempotent.

    Links to directories are left alone.

    Raises:
        OffbranchError: A file cannot be read or written.
    """
    temporary = temporary_name()
    for file in _files_of(path):
        try:
            status = os.lstat(file)
            if not os.path.islink(file) and status.st_nlink == 1:
                if not status.st_mode & 0o200:
                    os.chmod(file, status.st_mode | 0o600)
                continue
            own = os.path.join(os.path.dirname(file), temporary)
            try:
                _make(LinkKind.COPY, file, own, bool(os.stat(file).st_mode & 0o100), None)
                os.replace(own, file)
            except BaseException:
                remove_file(AbsPath(own))
                raise
        except OSError as error:
            raise _write_error(file, file, error) from error


def temporary_name() -> str:
    """Returns a file name that no other process or handle uses."""
    return f"{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"


def clone(source: int, dest: int) -> bool:
    """Makes an open empty file share the blocks of another; returns whether the file system could.

    Source: ioctl_ficlone(2). On macOS cloning needs a path, see `_clone_path`.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        load("fcntl").ioctl(dest, _FICLONE, source)
    except OSError as error:
        if error.errno in _NOT_OFFERED:
            return False
        raise
    return True


def copy_range(source: int, dest: int, count: int) -> int:
    """Copies up to `count` bytes between open files from their positions, in the kernel where it can; 0 at the end."""
    if sys.platform.startswith("linux"):
        try:
            return os.copy_file_range(source, dest, count)
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
    data = os.read(source, min(count, 1 << 20))
    write_all(dest, data)
    return len(data)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all bytes to an open file."""
    n_written = os.write(descriptor, data)
    while n_written < len(data):
        n_written += os.write(descriptor, memoryview(data)[n_written:])


def _make(kind: LinkKind, source: str, temporary: str, is_executable: bool, mtime_ns: int | None) -> None:
    if kind is LinkKind.HARDLINK:
        os.link(source, temporary)
    elif kind is LinkKind.SYMLINK:
        os.symlink(source, temporary)
    elif kind is LinkKind.REFLINK and sys.platform == "darwin":
        _clone_path(source, temporary, is_executable, mtime_ns)
    else:
        _fill(source, temporary, is_executable, mtime_ns, by_clone=kind is LinkKind.REFLINK)


def _fill(source: str, dest: str, is_executable: bool, mtime_ns: int | None, *, by_clone: bool) -> None:
    descriptor = os.open(source, READ_FLAGS)
    try:
        own = os.open(dest, CREATE_FLAGS, 0o766 if is_executable else 0o666)
        try:
            if by_clone:
                if not clone(descriptor, own):
                    raise OSError(errno.EOPNOTSUPP, "no reflinks here", dest)
            else:
                _copy(descriptor, own)
            if mtime_ns is not None and os.utime in os.supports_fd:
                os.utime(own, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(own)
    finally:
        os.close(descriptor)


def _write(data: bytes, dest: str, is_executable: bool, mtime_ns: int | None) -> None:
    own = os.open(dest, CREATE_FLAGS, 0o766 if is_executable else 0o666)
    try:
        write_all(own, data)
        if mtime_ns is not None and os.utime in os.supports_fd:
            os.utime(own, ns=(mtime_ns, mtime_ns))
    finally:
        os.close(own)


def _copy(source: int, dest: int) -> None:
    data = os.read(source, _FIRST_READ)  # most files are small: one read, one write
    write_all(dest, data)
    if len(data) == _FIRST_READ:
        while copy_range(source, dest, _CHUNK):
            pass


def _clone_path(source: str, dest: str, is_executable: bool, mtime_ns: int | None) -> None:
    """Source: clonefile(2) of macOS; the clone takes over the mode of the object, so it gets one of its own."""
    ctypes = load("ctypes")
    library = ctypes.CDLL(None, use_errno=True)
    if library.clonefile(os.fsencode(source), os.fsencode(dest), 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), dest)
    umask = os.umask(0o077)
    os.umask(umask)
    os.chmod(dest, (0o766 if is_executable else 0o666) & ~umask)
    if mtime_ns is None:
        os.utime(dest)
    else:
        os.utime(dest, ns=(mtime_ns, mtime_ns))


def _files_of(path: AbsPath) -> Iterable[str]:
    if os.path.islink(path) and os.path.isdir(path):
        return
    if not os.path.isdir(path):
        yield path
        return
    for directory, _, names in os.walk(path):
        for name in names:
            file = os.path.join(directory, name)
            if os.path.isfile(file):
                yield file


def _write_error(source: str, dest: str, error: OSError) -> OffbranchError:
    reason = (error.strerror or str(error)).lower()
    return OffbranchError(f"cannot write '{dest}' from '{source}': {reason}", hint=_WAY_OUT.get(error.errno or 0))


_WAY_OUT = {
    errno.ENOSPC: "free some disk space and repeat the command",
    errno.EDQUOT: "free some of your disk quota and repeat the command",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "check the permissions of the directory",
}
