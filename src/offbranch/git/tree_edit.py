"""A tree that equals another but for some paths.

Only the directories on the way to them are read and written, whatever else is in the tree. Paths about which Git has rules of
its own (`.git` and what some file systems take for it) go through an index, which knows them. Format: gitformat of Git 2.39.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from offbranch.base.errors import GitError
from offbranch.base.hashes import sha1, sha256
from offbranch.base.paths import GitPath
from offbranch.git.ids import BlobId, ObjectName, TreeId
from offbranch.git.index import private_index, put_entries
from offbranch.git.objects import MODE_SUBMODULE, MODE_TREE, ObjectReader, TreeEntry, empty_tree
from offbranch.git.repository import GitRepo, repo_git

Changes = Mapping[GitPath, tuple[int, BlobId] | None]
# Names that no file system takes for anything else.
_NAME = r"(?:(?:\w|\.(?!git))[\w.+=@,-]*[\w+=@,-]|\w|\.gitignore)"
_PLAIN = re.compile(f"(?:{_NAME}/)*{_NAME}", re.ASCII | re.IGNORECASE)


def write_tree_with(repo: GitRepo, base: TreeId, changes: Changes) -> TreeId:
    """Stores a tree that equals another but for some paths.

    Args:
        repo: Where.
        base: The tree to start from.
        changes: Path to (mode, blob), or to None for "not there". A file put where a directory was replaces it.

    Raises:
        GitError: A path is not allowed in a tree, or `base` does not exist.
    """
    if not changes:
        return base
    nested = _nested(changes)
    if nested is None:
        return _through_index(repo, base, changes)
    with ObjectReader(repo) as objects:
        edit = _Edit(objects)
        tree = edit.tree(base, nested)
    if tree is None:
        return empty_tree(repo)
    if edit.drafts:
        written = repo_git(repo, "mktree", "--missing", "--batch", "-z", input=b"\0".join(edit.drafts.values()))
        if written.decode().split() != list(edit.drafts):
            raise GitError("'git mktree' has made other trees than it was told to", hint="see git --version")
    return tree


def _nested(changes: Changes) -> Mapping[str, Any] | None:
    """Returns changes by the names of directories; None where that is not the whole truth about them."""
    top: dict[str, Any] = {}
    for path, change in changes.items():
        if not _PLAIN.fullmatch(path):
            return None
        *above, name = path.split("/")
        into = top
        for each in above:
            into = into.setdefault(each, {})
            if not isinstance(into, dict):  # a file is changed as well
                return None
        if name in into:
            return None
        into[name] = change
    return top


class _Edit:
    """Makes trees out of others.

    Attributes:
        drafts: Id -> what `mktree` is to be told, in an order in which what is below comes first.
    """

    def __init__(self, objects: ObjectReader) -> None:
        self.drafts: dict[str, bytes] = {}
        self._objects = objects

    def tree(self, base: TreeId | None, changes: Mapping[str, Any]) -> TreeId | None:
        """Returns the id of a tree with changes; None if nothing is in it."""
        entries = {} if base is None else {each.name: each for each in self._objects.tree(base)}
        for name, change in changes.items():
            old = entries.get(name)
            below = TreeId(old.id) if old is not None and old.mode == MODE_TREE else None
            if isinstance(change, Mapping):
                new = self.tree(below, change)
                if new is not None:
                    entries[name] = TreeEntry(MODE_TREE, name, ObjectName(new))
                elif below is not None:
                    del entries[name]
            elif change is not None:
                entries[name] = TreeEntry(change[0], name, ObjectName(change[1]))
            elif old is not None and below is None:
                del entries[name]
        return self._drafted(base, entries) if entries else None

    def _drafted(self, base: TreeId | None, entries: Mapping[str, TreeEntry]) -> TreeId:
        ordered = sorted((_sort_key(each), each) for each in entries.values())
        content, lines = b"", b""
        for _, each in ordered:
            name = os.fsencode(each.name)
            content += b"%o %s\0%s" % (each.mode, name, bytes.fromhex(each.id))
            lines += b"%06o %s %s\t%s\0" % (each.mode, _kind(each.mode), each.id.encode(), name)
        hashed = sha1 if len(ordered[0][1].id) == 40 else sha256
        tree = hashed(b"tree %d\0%s" % (len(content), content))
        if tree != base:
            self.drafts[tree] = lines
        return TreeId(tree)


def _sort_key(entry: TreeEntry) -> bytes:
    return os.fsencode(entry.name) + (b"/" if entry.mode == MODE_TREE else b"")


def _kind(mode: int) -> bytes:
    return b"tree" if mode == MODE_TREE else b"commit" if mode == MODE_SUBMODULE else b"blob"


def _through_index(repo: GitRepo, base: TreeId, changes: Changes) -> TreeId:
    entries = {path: None if each is None else (each[0], ObjectName(each[1])) for path, each in changes.items()}
    with private_index(repo) as (index, _):
        repo_git(repo, "read-tree", base, index=index)
        put_entries(repo, index, entries)
        return TreeId(repo_git(repo, "write-tree", index=index).decode().strip())
