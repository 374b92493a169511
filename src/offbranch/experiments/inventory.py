"""All files of a project at one moment, those of Git and the data together: the workspace, or any revision of any clone.

An `Inventory` answers which entries a path has; data is listed from what is recorded, so it need not be on disk. What
lists, imports or copies files of another repository starts here.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from offbranch.base.errors import CorruptObjectError, MissingDataError
from offbranch.base.paths import DVC_DIR, ROOT, AbsPath, GitPath, RepoPath, join, parent
from offbranch.base.records import positional_record, replace
from offbranch.git.ids import BlobId, TreeId
from offbranch.git.repository import GitRepo, repo_git
from offbranch.pipeline.recorded import RecordedOutput
from offbranch.storage.hashing import read_error
from offbranch.storage.ignore import IGNORED_DIRECTORIES, IgnoreRules
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory

Ignores = Callable[[RepoPath, bool], bool]
OnMissing = Callable[[RecordedOutput, MissingDataError], None]


@positional_record
class InventoryEntry:
    """One file or directory.

    Attributes:
        path: Path of the project.
        is_dir: It is a directory.
        is_out: It is an output in the cache, or lies in one.
        is_exec: The user may execute the file.
        size: Bytes; of a directory the sum that is recorded of it; None where that is not known.
        id: Its object in the cache; None for what is Git's, and for a directory inside an output.
        blob: In a commit, its content in Git; None for what is data or on disk.
        is_link: Git has it as a symbolic link.
    """

    path: RepoPath
    is_dir: bool
    is_out: bool = False
    is_exec: bool = False
    size: int | None = None
    id: ObjectId | None = None
    blob: BlobId | None = None
    is_link: bool = False


class PlainTree(Protocol):
    """The files that are not data: a directory on disk, or a tree of Git."""

    def children(self, path: RepoPath) -> Iterable[InventoryEntry]:
        """Returns the entries of a directory in any order; none where there is no directory."""
        ...


class DiskTree:
    """A directory on disk as `PlainTree`, less the private directories and what `.dvcignore` names."""

    def __init__(self, root: AbsPath, ignore: IgnoreRules) -> None:
        self._root = root
        self._ignore = ignore

    def children(self, path: RepoPath) -> Iterable[InventoryEntry]:
        prefix = f"{path}/" if path else ""
        try:
            with os.scandir(join(self._root, path)) as entries:
                for entry in entries:
                    below = RepoPath(prefix + entry.name)
                    # A link to a directory is shown, never entered: it may lead in a circle.
                    is_dir = entry.is_dir(follow_symlinks=False)
                    if self._ignore.ignores(below, is_dir):
                        continue
                    status = os.stat(entry.path) if entry.is_file() else entry.stat(follow_symlinks=False)
                    size = None if is_dir else status.st_size
                    is_exec = not is_dir and entry.is_file() and bool(status.st_mode & 0o100)
                    yield InventoryEntry(below, is_dir, False, is_exec, size)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise read_error(error.filename or path, error) from error


class GitTree:
    """A tree of Git as `PlainTree`, read with one command.

    Args:
        repo: Where.
        tree: The tree of the commit.
        prefix: Directory of the project in it.
        ignores: Tells whether a path (and: it is a directory) is left out by .dvcignore.
    """

    def __init__(self, repo: GitRepo, tree: TreeId, prefix: GitPath, ignores: Ignores) -> None:
        self._entries: dict[RepoPath, list[InventoryEntry]] = {}
        self._ignores = ignores
        wanted = f"{tree}:{prefix}" if prefix else tree
        out = repo_git(repo, "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", wanted)
        for line in out.split(b"\0"):
            if line:
                head, _, name = line.partition(b"\t")
                mode, kind, blob, size = head.split()
                path = RepoPath(os.fsdecode(name))
                entry = InventoryEntry(
                    path,
                    kind != b"blob",
                    is_exec=mode == b"100755",
                    size=int(size) if size != b"-" else None,
                    blob=BlobId(blob.decode()) if kind == b"blob" else None,
                    is_link=mode == b"120000",
                )
                self._entries.setdefault(parent(path), []).append(entry)

    def children(self, path: RepoPath) -> Iterable[InventoryEntry]:
        if path and any(entry.path == f"{path}/{DVC_DIR}" for entry in self._entries.get(path, ())):
            return  # a project of its own
        for entry in self._entries.get(path, ()):
            name = entry.path.rpartition("/")[2]
            if not (entry.is_dir and name in IGNORED_DIRECTORIES) and not self._ignores(entry.path, entry.is_dir):
                yield entry


class NoTree:
    """No plain files at all, as `PlainTree`."""

    def children(self, path: RepoPath) -> Iterable[InventoryEntry]:
        del path
        return ()


class Inventory:
    """The files of Git and the data of one moment. One thread at a time.

    Args:
        tree: What is not data. On disk the data is in it as well; what is recorded goes before.
        outs: What is recorded of outputs, by path.
        cache: Where the directory objects are.
    """

    def __init__(self, tree: PlainTree, outs: Mapping[RepoPath, RecordedOutput], cache: LocalCache | None) -> None:
        self._tree = tree
        self._outs = outs
        self._cache = cache
        self._inside: dict[RepoPath, dict[str, dict[str, ObjectId | None]]] = {}
        self._below: dict[RepoPath, dict[str, RecordedOutput | None]] = {}
        for path, out in outs.items():
            child: RecordedOutput | None = out
            while path:
                above, _, name = path.rpartition("/")
                names = self._below.setdefault(RepoPath(above), {})
                if child is None and name in names:
                    break
                names[name] = child
                path, child = RepoPath(above), None

    def data_only(self) -> "Inventory":
        """Returns the data alone, as it is recorded."""
        return Inventory(NoTree(), self._outs, self._cache)

    def with_cache(self, cache: LocalCache | None) -> "Inventory":
        """Returns the same files, with directory objects from another cache."""
        return Inventory(self._tree, self._outs, cache)

    def children(self, path: RepoPath) -> tuple[InventoryEntry, ...]:
        """Returns the entries of a directory, by name; none where there is no directory.

        Raises:
            MissingDataError: It is data, and what it holds is not known, because its directory object is not in the cache.
        """
        prefix = f"{path}/" if path else ""
        plain = {entry.path: entry for entry in self._tree.children(path)}
        found = dict(plain)
        for name, out in self._below.get(path, {}).items():
            below = RepoPath(prefix + name)
            if out is not None:
                found[below] = _entry_of(out, plain.get(below))
            elif below not in found:
                found[below] = InventoryEntry(below, True)
        owner = self._owner(path)
        if owner is not None:
            for name, id in self._listed(owner).get(path[len(owner.path) + 1 :], {}).items():
                below = RepoPath(prefix + name)
                found[below] = self._entry_inside(below, id, plain.get(below))
        return tuple(found[path] for path in sorted(found))

    def find(self, path: RepoPath) -> InventoryEntry | None:
        """Returns the entry at a path, None if there is none; the top is a directory. Raises as `children`."""
        if not path:
            return InventoryEntry(ROOT, True)
        return next((entry for entry in self.children(parent(path)) if entry.path == path), None)

    def walk(
        self, path: RepoPath = ROOT, *, depth: int | None = None, on_missing: OnMissing | None = None
    ) -> Iterator[InventoryEntry]:
        """Yields everything below a directory, a directory before what it holds, in the order of names.

        Args:
            path: The directory.
            depth: How many levels; None for all.
            on_missing: Called for a directory whose object is not in the cache, which is left without entries then.

        Raises:
            MissingDataError: As `children`, without `on_missing`.
        """
        try:
            entries = self.children(path)
        except MissingDataError as error:
            owner = self._owner(path)
            if on_missing is None or owner is None:
                raise
            on_missing(owner, error)
            return
        for entry in entries:
            yield entry
            if entry.is_dir and (depth is None or depth > 1):
                yield from self.walk(entry.path, depth=None if depth is None else depth - 1, on_missing=on_missing)

    def _owner(self, path: RepoPath) -> RecordedOutput | None:
        """Returns the output that a path is, or lies in."""
        while path:
            if path in self._outs:
                return self._outs[path]
            path = parent(path)
        return None

    def _listed(self, owner: RecordedOutput) -> dict[str, dict[str, ObjectId | None]]:
        """Returns what a directory object lists: directory below the output -> name -> object, None for a directory."""
        known = self._inside.get(owner.path)
        if known is None:
            files = _files_of(owner, self._cache)
            known = self._inside[owner.path] = {"": {}}
            for name, id in files.items():
                child: ObjectId | None = id
                while True:
                    above, _, last = name.rpartition("/")
                    names = known.setdefault(above, {})
                    if child is None and last in names:
                        break
                    names[last] = child
                    if not above:
                        break
                    name, child = above, None
        return known

    def _entry_inside(self, path: RepoPath, id: ObjectId | None, plain: InventoryEntry | None) -> InventoryEntry:
        if plain is not None:
            return replace(plain, is_out=True, id=id)
        if id is None:
            return InventoryEntry(path, True, True)
        return InventoryEntry(path, False, True, False, _size_of(self._cache, id), id)


def _entry_of(out: RecordedOutput, plain: InventoryEntry | None) -> InventoryEntry:
    is_dir = is_directory(out.id)
    if plain is not None and not plain.is_dir and not is_dir:
        return replace(plain, is_out=True, id=out.id)
    return InventoryEntry(out.path, is_dir, True, out.item.is_executable, out.item.size, out.id)


def _files_of(out: RecordedOutput, cache: LocalCache | None) -> Mapping[str, ObjectId]:
    if not is_directory(out.id):
        return {}
    for store in (cache, cache.legacy_view()) if cache is not None and out.is_legacy else (cache,):
        if store is not None and store.has(out.id):
            try:
                return store.listing(out.id).entries
            except CorruptObjectError:  # it has been removed, and is missing now
                break
    raise MissingDataError(
        f"what '{out.path}' holds is not known here: its directory object '{out.id}' is not in the cache",
        hint="get it from its data remote with 'ob fetch', in a clone of that project",
    )


def _size_of(cache: LocalCache | None, id: ObjectId) -> int | None:
    if cache is None:
        return None
    try:
        return os.stat(cache.path_of(id)).st_size
    except OSError:
        return None
