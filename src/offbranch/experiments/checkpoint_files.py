"""Files on their way into the tree of a checkpoint: where they are, what they hold, and their blobs."""

import os
import stat
from collections.abc import Iterator, Mapping

from offbranch.base.errors import OffbranchError
from offbranch.base.files import remove_tree
from offbranch.base.paths import AbsPath, GitPath, RepoPath, join
from offbranch.base.records import record
from offbranch.git.blobs import write_files
from offbranch.git.ids import BlobId, TreeId
from offbranch.git.objects import MODE_EXECUTABLE, MODE_FILE, MODE_LINK, MODE_TREE, ObjectReader, write_blob
from offbranch.git.repository import GitRepo
from offbranch.storage.hashing import hash_bytes, hash_file
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.objects import Content, ObjectId
from offbranch.storage.still import Held
from offbranch.storage.still_stored import contents


@record
class File:
    """One file of a tree that is to be written.

    Attributes:
        content: What it holds, or where that is on disk.
    """

    mode: int
    content: bytes | AbsPath


class FileWriter:
    """Stores files as blobs; what it has stored before, at the same path, is not read again.

    Args:
        repo: Gets them.
        stage_dir: A directory for content that is in memory; below the work tree.
    """

    def __init__(self, repo: GitRepo, stage_dir: AbsPath) -> None:
        self._repo, self._stage_dir = repo, stage_dir
        self._known: dict[GitPath, tuple[object, BlobId]] = {}

    def blobs(self, files: Mapping[GitPath, File | None]) -> dict[GitPath, tuple[int, BlobId] | None]:
        """Returns mode and id of each; None stays None."""
        found: dict[GitPath, tuple[int, BlobId] | None] = {}
        new: dict[GitPath, AbsPath] = {}
        keys: dict[GitPath, object] = {}
        for path, file in files.items():
            if file is None:
                found[path] = None
                continue
            if file.mode == MODE_LINK:
                assert isinstance(file.content, bytes)
                found[path] = (MODE_LINK, write_blob(self._repo, file.content))
                continue
            keys[path] = key = _key(file.content)
            known = self._known.get(path)
            if known is not None and known[0] == key:
                found[path] = (file.mode, known[1])
                continue
            new[path] = self._on_disk(path, file.content)
        for path, blob in zip(new, write_files(self._repo, tuple(new.values())), strict=True):
            file = files[path]
            assert file is not None
            found[path] = (file.mode, blob)
            self._known[path] = (keys[path], blob)
        remove_tree(self._stage_dir)
        return found

    def forget(self) -> None:
        """Stores everything anew from now on."""
        self._known.clear()

    def _on_disk(self, path: GitPath, content: bytes | AbsPath) -> AbsPath:
        """Returns a file with some content; below a directory of ours at the same path, for Git's rules about names."""
        if not isinstance(content, bytes):
            return content
        where = join(self._stage_dir, path)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        try:
            with open(where, "wb") as file:
                file.write(content)
        except OSError as error:
            raise OffbranchError(
                f"cannot write '{where}': {(error.strerror or str(error)).lower()}", hint="free some disk space"
            ) from error
        return where


def identity_of(held: Held) -> Content:
    """Returns what an output is that Git keeps; nothing is stored."""
    md5s = []
    size = 0
    for file, content in contents(held):
        md5s.append((file.name, hash_bytes(content) if isinstance(content, bytes) else hash_file(content)[0]))
        size += file.status.st_size
    if held.scan is None:
        return Content(id=ObjectId(md5s[0][1]), size=size, is_executable=held.files[0].is_executable)
    return Content(id=listing_id(listing_bytes(make_listing(md5s, path=held.path))), size=size, n_files=len(md5s))


def paths_below(objects: ObjectReader, tree: TreeId, path: GitPath) -> Iterator[GitPath]:
    """Yields the files that a tree has at a path and below it."""
    entry = objects.find(tree, path)
    if entry is None:
        return
    if entry.mode != MODE_TREE:
        yield path
        return
    for child in objects.tree(TreeId(entry.id)):
        yield from paths_below(objects, tree, GitPath(f"{path}/{child.name}"))


def files_at(root: AbsPath, path: RepoPath) -> Iterator[tuple[RepoPath, os.stat_result]]:
    """Yields the files and symbolic links on disk at a path and below it."""
    disk = join(root, path)
    try:
        status = os.lstat(disk)
    except OSError:
        return
    if stat.S_ISDIR(status.st_mode):
        for name in sorted(os.listdir(disk)):
            yield from files_at(root, RepoPath(f"{path}/{name}"))
    elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        yield path, status


def file_on_disk(disk: AbsPath, status: os.stat_result) -> File:
    """Returns a file as it is on disk; of a symbolic link what it says."""
    if stat.S_ISLNK(status.st_mode):
        return File(mode=MODE_LINK, content=os.fsencode(os.readlink(disk)))
    return File(mode=MODE_EXECUTABLE if status.st_mode & stat.S_IXUSR else MODE_FILE, content=disk)


def file_with(content: bytes) -> File:
    """Returns an ordinary file with some content."""
    return File(mode=MODE_FILE, content=content)


def _key(content: bytes | AbsPath) -> object:
    if isinstance(content, bytes):
        return hash_bytes(content)
    status = os.stat(content)
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
