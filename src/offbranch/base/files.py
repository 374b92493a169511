"""Reading a tree of files through one seam, and writing files so that a reader never sees half of one.

`FileReader` is what the pipeline reads through: a directory on disk, or a commit (`git/tree_reader.py`). Nothing here
interprets content. Every file we replace is written beside its place under a temporary name and then renamed.
"""

import os
import stat
from collections.abc import Iterator
from typing import Protocol

from offbranch.base.errors import BadInputError
from offbranch.base.paths import AbsPath, RepoPath, join

TEMPORARY_PREFIX = ".ob-tmp-"


class FileReader(Protocol):
    """A read-only tree of files addressed by paths of the project.

    Implementations may be called from one thread at a time, have no side effect and may cache: a reader stands for one
    moment. Symbolic links inside the tree are followed as the file system (or Git) would.
    """

    def read_bytes(self, path: RepoPath) -> bytes:
        """Returns the content of a file.

        Raises:
            FileNotFoundError: No file is there (a directory counts as none).
        """
        ...

    def is_file(self, path: RepoPath) -> bool:
        """Tells whether a file is there."""
        ...

    def is_dir(self, path: RepoPath) -> bool:
        """Tells whether a directory with this path is there."""
        ...

    def list_dir(self, path: RepoPath) -> tuple[tuple[str, bool], ...]:
        """Returns the entries of a directory as (name, is a directory), in name order; empty when there is none."""
        ...


class DirectoryReader:
    """A directory on disk as `FileReader`."""

    def __init__(self, root: AbsPath) -> None:
        self.root = root

    def read_bytes(self, path: RepoPath) -> bytes:
        try:
            with open(join(self.root, path), "rb") as file:
                return file.read()
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(path) from error

    def is_file(self, path: RepoPath) -> bool:
        return os.path.isfile(join(self.root, path))

    def is_dir(self, path: RepoPath) -> bool:
        return os.path.isdir(join(self.root, path))

    def list_dir(self, path: RepoPath) -> tuple[tuple[str, bool], ...]:
        try:
            with os.scandir(join(self.root, path)) as entries:
                return tuple(sorted((entry.name, entry.is_dir()) for entry in entries))
        except (FileNotFoundError, NotADirectoryError):
            return ()


def read_text(reader: FileReader, path: RepoPath) -> str:
    """Returns the text of a UTF-8 file.

    Raises:
        FileNotFoundError: It is not there.
        BadInputError: It is not UTF-8.
    """
    return decode(reader.read_bytes(path), path)


def read_if_there(reader: FileReader, path: str) -> bytes | None:
    """Returns the content of a file, None when there is none."""
    try:
        return reader.read_bytes(RepoPath(path))
    except FileNotFoundError:
        return None


def decode(content: bytes, path: str) -> str:
    """Returns UTF-8 bytes as text, or names the file and the line that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInputError(
            "not a UTF-8 text file", path=path, line=line, hint=f"save '{path}' in the encoding UTF-8"
        ) from error


def atomic_write(path: AbsPath, content: bytes, *, mode: int | None = None) -> None:
    """Replaces a file in one step; a reader sees the old content or the new, never a part.

    A symbolic link stays a link: the file it points to is replaced. Without `mode` the present permissions are kept.
    What only some may read is at no moment readable for others.
    """
    target = os.path.realpath(path) if os.path.islink(path) else path
    directory, name = os.path.split(target)
    temporary = os.path.join(directory, f"{TEMPORARY_PREFIX}{name[:80]}-{os.getpid()}")
    if mode is None:
        try:
            mode = stat.S_IMODE(os.stat(target).st_mode)
        except FileNotFoundError:
            mode = None
    try:
        with open(temporary, "wb", opener=None if mode is None else _open_private) as file:
            file.write(content)
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        remove_file(AbsPath(temporary))
        raise


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def read_system_file(path: str) -> str:
    """Returns what the system says in a file of its own (`/proc`, `/sys`); empty where there is none, or it may not be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""


def write_if_changed(path: AbsPath, content: bytes) -> bool:
    """Writes a file only when its content differs; returns whether it wrote."""
    try:
        with open(path, "rb") as file:
            if file.read() == content:
                return False
    except FileNotFoundError:
        pass
    atomic_write(path, content)
    return True


def remove_file(path: AbsPath) -> None:
    """Removes a file or link if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def is_really_inside(path: AbsPath, root: AbsPath) -> bool:
    """Tells whether the directory that holds a path lies below another one when links on the way are followed."""
    above, top = os.path.realpath(os.path.dirname(path)), os.path.realpath(root)
    return above == top or above.startswith(top.rstrip(os.sep) + os.sep)


def remove_tree(path: AbsPath) -> None:
    """Removes a file, a link, or a whole directory, read-only files included; nothing there is no error.

    Links are removed, never followed.
    """
    if os.path.islink(path) or not os.path.isdir(path):
        remove_file(path)
        return
    for entry in list(_entries(path)):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(AbsPath(entry.path))
        else:
            os.unlink(entry.path)
    os.rmdir(path)


def _entries(path: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from entries
    except PermissionError:
        os.chmod(path, 0o700)
        with os.scandir(path) as entries:
            yield from entries
