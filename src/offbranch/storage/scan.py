"""One walk over a directory: which files it holds and their stamps, in few system calls and no object per file.

Follows DVC's rules: links to files are followed, links to directories are left out, and so are empty directories and
whatever `.dvcignore` names. Our own unfinished files (see `base/files.py`) are reported, never counted.
"""

import os
import stat
from array import array
from collections.abc import Sequence

from offbranch.base.errors import OffbranchError
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.paths import DVC_DIR, IGNORE_FILE, AbsPath, RepoPath
from offbranch.base.records import record
from offbranch.storage.hashing import new_md5, read_error, special_file_error
from offbranch.storage.ignore import IGNORED_DIRECTORIES, IgnoreRules

# Size, mtime in ns, ctime in ns, inode. The ctime shows a change whose mtime was set back; it is 0 for a file with
# several names, because every new hard link of a cache object moves it.
Stamp = tuple[int, int, int, int]

_KIND = 0o170000
_FILE = stat.S_IFREG
_DIRECTORY = stat.S_IFDIR
_INT64 = (1 << 63) - 1


@record
class Scan:
    """What a walk found, in the order of the walk.

    Attributes:
        names: Last part of each file's path.
        groups: (directory below the top with `/` at its end, index of its first name), one per directory.
        numbers: Four per file: the `Stamp`s one after another.
        links: Indices of the files that are symbolic links.
        temporaries: Unfinished files of a process of ours that was killed, as paths below the top.
        linked_directories: Symbolic links to directories, which are not content.
        fingerprint: Hash of all of this; equal means that nothing changed.
    """

    names: Sequence[str]
    groups: Sequence[tuple[str, int]]
    numbers: "array[int]"
    links: Sequence[int]
    temporaries: Sequence[str]
    linked_directories: Sequence[str]
    fingerprint: bytes

    @property
    def paths(self) -> list[str]:
        """The path of each file below the top."""
        result: list[str] = []
        ends = [first for _, first in self.groups[1:]]
        ends.append(len(self.names))
        for (prefix, first), end in zip(self.groups, ends, strict=True):
            result += [prefix + name for name in self.names[first:end]] if prefix else self.names[first:end]
        return result

    @property
    def stamps(self) -> list[Stamp]:
        """The stamp of each file."""
        one_by_one = iter(self.numbers)
        return list(zip(one_by_one, one_by_one, one_by_one, one_by_one, strict=True))

    @property
    def size_bytes(self) -> int:
        """The sum of the sizes."""
        return sum(self.numbers[::4])


def stamp_of(status: os.stat_result) -> Stamp:
    """Returns the stamp of one file."""
    ctime_ns = status.st_ctime_ns if status.st_nlink == 1 else 0
    return (status.st_size, status.st_mtime_ns, ctime_ns, status.st_ino & _INT64)


def scan_directory(path: AbsPath, *, ignore: IgnoreRules | None, rel: RepoPath) -> Scan:
    """Walks a directory.

    Args:
        path: The directory.
        ignore: Rules of the project; None for a place outside any project, where everything counts.
        rel: The same directory as a path of the project.

    Raises:
        OffbranchError: Something in it cannot be stored, e.g. a pipe, a broken link, an ignore file.
    """
    walk = _Walk(path, ignore, rel)
    for prefix, directory in walk.pending:  # grows while it is walked
        try:
            walk.enter(prefix, directory)
        except OSError as error:
            raise read_error(error.filename or directory, error) from error
    return walk.finish()


class _Walk:
    """The lists a walk fills; a frozen `Scan` is made from them at its end."""

    def __init__(self, top: AbsPath, ignore: IgnoreRules | None, rel: RepoPath) -> None:
        self.ignore = ignore
        self.rel_prefix = f"{rel}/" if rel else ""
        self.pending: list[tuple[str, str]] = [("", top)]
        self.names: list[str] = []
        self.groups: list[tuple[str, int]] = []
        self.numbers: list[int] = []
        self.links: list[int] = []
        self.temporaries: list[str] = []
        self.linked_directories: list[str] = []

    def enter(self, prefix: str, directory: str) -> None:
        """Takes in one directory. This loop runs once per file: keep it free of calls and of attribute look-ups."""
        names, numbers = self.names, self.numbers
        first, first_pending = len(names), len(self.pending)
        here = RepoPath((self.rel_prefix + prefix)[:-1])
        patterned = self.ignore is not None and self.ignore.has_patterns(here)
        with os.scandir(directory) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == "." and self._is_special(entry, prefix):
                    if name != DVC_DIR or prefix == "":
                        continue
                    self._leave_out(first, first_pending, prefix)
                    return
                if patterned and self._is_ignored(entry, prefix):
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    _refuse_broken_link(entry)
                    continue
                kind = status.st_mode & _KIND
                if kind == _FILE:
                    if entry.is_symlink():
                        self.links.append(len(names))
                    names.append(name)
                    ctime_ns = status.st_ctime_ns if status.st_nlink == 1 else 0
                    numbers += (status.st_size, status.st_mtime_ns, ctime_ns, status.st_ino)
                elif kind != _DIRECTORY:
                    raise special_file_error(entry.path, status.st_mode)
                elif entry.is_symlink():
                    self.linked_directories.append(prefix + name)
                else:
                    self.pending.append((f"{prefix}{name}/", entry.path))
        self.groups.append((prefix, first))

    def _leave_out(self, first: int, first_pending: int, prefix: str) -> None:
        """Drops what was taken from a directory that turns out to be a project of its own."""
        del self.names[first:], self.numbers[4 * first :], self.pending[first_pending:]
        self.links = [index for index in self.links if index < first]
        self.temporaries = [path for path in self.temporaries if not path.startswith(prefix)]
        self.linked_directories = [path for path in self.linked_directories if not path.startswith(prefix)]

    def finish(self) -> Scan:
        """Returns everything as one record."""
        try:
            numbers = array("q", self.numbers)
        except OverflowError:  # some network file systems use all 64 bits of an inode
            numbers = array("q", [number & _INT64 if number > _INT64 else number for number in self.numbers])
        shape = [f"{prefix}\0{first}" for prefix, first in self.groups]
        digest = new_md5("\0".join(self.names).encode("utf-8", "surrogatepass"))
        digest.update("\0\0".join(shape).encode("utf-8", "surrogatepass"))
        digest.update(numbers.tobytes())
        return Scan(
            names=self.names,
            groups=self.groups,
            numbers=numbers,
            links=self.links,
            temporaries=self.temporaries,
            linked_directories=self.linked_directories,
            fingerprint=digest.digest(),
        )

    def _is_special(self, entry: "os.DirEntry[str]", prefix: str) -> bool:
        """Tells whether a name that starts with a dot is not content."""
        if entry.name.startswith(TEMPORARY_PREFIX):
            self.temporaries.append(prefix + entry.name)
            return True
        if self.ignore is None:
            return False
        if entry.name == IGNORE_FILE and entry.is_file():
            raise OffbranchError(
                f"cannot store '{entry.path}': an ignore file may not be inside tracked data",
                hint="move its patterns to the .dvcignore file of a directory above",
            )
        return entry.name in IGNORED_DIRECTORIES and entry.is_dir()

    def _is_ignored(self, entry: "os.DirEntry[str]", prefix: str) -> bool:
        path = RepoPath(f"{self.rel_prefix}{prefix}{entry.name}")
        return self.ignore is not None and self.ignore.matches(path, entry.is_dir())


def _refuse_broken_link(entry: "os.DirEntry[str]") -> None:
    if entry.is_symlink():
        raise OffbranchError(
            f"cannot read '{entry.path}': it is a link to nothing",
            hint="remove it, or name it in a .dvcignore file",
        )
