"""The files of a commit, read without checkout, as a `FileReader`."""

import posixpath

from offbranch.base.paths import GitPath, RepoPath
from offbranch.git.ids import BlobId, TreeId
from offbranch.git.objects import MODE_LINK, MODE_SUBMODULE, MODE_TREE, ObjectReader, TreeEntry

# Linux gives up after 40 links as well.
_MAX_LINKS = 40
_TOP = GitPath("")


class TreeReader:
    """A tree as `FileReader`; links are followed as long as they stay inside the tree.

    Args:
        objects: Reads the objects; stays open as long as this reader is used.
        tree: The tree of the commit.
        prefix: Directory of the project in the work tree; paths given to the reader are relative to it.
    """

    def __init__(self, objects: ObjectReader, tree: TreeId, prefix: GitPath = _TOP) -> None:
        self._objects = objects
        self._tree = tree
        self._prefix = prefix

    def read_bytes(self, path: RepoPath) -> bytes:
        entry = self._find(path)
        if entry is None or entry.mode in (MODE_TREE, MODE_SUBMODULE):
            raise FileNotFoundError(path)
        return self._objects.blob(BlobId(entry.id))

    def is_file(self, path: RepoPath) -> bool:
        entry = self._find(path)
        return entry is not None and entry.mode not in (MODE_TREE, MODE_SUBMODULE)

    def is_dir(self, path: RepoPath) -> bool:
        entry = self._find(path)
        return entry is not None and entry.mode in (MODE_TREE, MODE_SUBMODULE)

    def list_dir(self, path: RepoPath) -> tuple[tuple[str, bool], ...]:
        entry = self._find(path)
        if entry is None or entry.mode != MODE_TREE:
            return ()
        below = f"{path}/" if path else ""
        entries = self._objects.tree(TreeId(entry.id))
        return tuple(sorted((e.name, self._leads_to_dir(e, below)) for e in entries))

    def _leads_to_dir(self, entry: TreeEntry, below: str) -> bool:
        if entry.mode == MODE_LINK:
            return self.is_dir(RepoPath(below + entry.name))
        return entry.mode in (MODE_TREE, MODE_SUBMODULE)

    def _find(self, path: RepoPath) -> TreeEntry | None:
        """Returns the entry a path leads to, every link on the way followed."""
        rest = [part for part in posixpath.join(self._prefix, path).split("/") if part]
        done: list[str] = []
        links = 0
        while rest:
            part = rest.pop(0)
            if part == "..":
                if not done:
                    return None
                done.pop()
                continue
            entry = self._objects.find(self._tree, GitPath("/".join((*done, part))))
            if entry is None:
                return None
            if entry.mode != MODE_LINK:
                if rest and entry.mode != MODE_TREE:
                    return None
                done.append(part)
                continue
            links += 1
            target = self._objects.blob(BlobId(entry.id)).decode("utf-8", "surrogateescape")
            if links > _MAX_LINKS or posixpath.isabs(target):
                return None
            rest = [p for p in target.split("/") if p not in ("", ".")] + rest
        return self._objects.find(self._tree, GitPath("/".join(done)))
