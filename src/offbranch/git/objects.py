"""Blobs, trees and commits: read many with few processes, write, compare two trees.

Objects never change, so a reader remembers the trees and commits it has seen. Writing goes through Git and never
touches the user's index, HEAD or any ref.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from offbranch.base.errors import GitError, NotFoundError
from offbranch.base.paths import GitPath
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.git.batch import Batch
from offbranch.git.command import finish_git, git_error

# Others import ids and records from here.
from offbranch.git.ids import BlobId as BlobId
from offbranch.git.ids import CommitId as CommitId
from offbranch.git.ids import ObjectName as ObjectName
from offbranch.git.ids import TreeId as TreeId
from offbranch.git.index import private_index, put_entries
from offbranch.git.loose import has_replacements, read_loose
from offbranch.git.records import MODE_EXECUTABLE as MODE_EXECUTABLE
from offbranch.git.records import MODE_FILE as MODE_FILE
from offbranch.git.records import MODE_LINK as MODE_LINK
from offbranch.git.records import MODE_SUBMODULE as MODE_SUBMODULE
from offbranch.git.records import MODE_TREE as MODE_TREE
from offbranch.git.records import Commit as Commit
from offbranch.git.records import TreeEntry as TreeEntry
from offbranch.git.records import parse_commit, parse_tree
from offbranch.git.repository import GitRepo, is_shallow, repo_env, repo_git


@record
class TreeChange:
    """How one path differs between two trees.

    Attributes:
        path: The path.
        status: `A` added, `M` modified, `D` deleted, `T` another type (file, link, submodule).
        old_mode: Mode before; 0 when added.
        new_mode: Mode after; 0 when deleted.
        old_id: Id before; all zeros when added.
        new_id: Id after; all zeros when deleted.
    """

    path: GitPath
    status: str
    old_mode: int
    new_mode: int
    old_id: ObjectName
    new_id: ObjectName


class ObjectReader:
    """Reads objects of one repository; a context manager that ends its process on leaving.

    One thread at a time. The process is started when first needed, which is never where all objects are loose.
    """

    def __init__(self, repo: GitRepo) -> None:
        self._repo = repo
        self._batch = Batch(repo)
        self._objects_dir = os.path.join(repo.common_dir, "objects")
        self._loose = not has_replacements(repo)
        self._trees: dict[str, tuple[TreeEntry, ...]] = {}
        self._commits: dict[str, Commit] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process; the reader can still be used and would start another."""
        self._batch.close()

    def read(self, name: str) -> tuple[str, bytes]:
        """Returns (kind, content) of what a name means: an id, or anything Git resolves to one object.

        Raises:
            NotFoundError: There is none.
        """
        found = self.read_many((name,)).get(ObjectName(name))
        if found is None:
            raise self._missing(name)
        return found

    def read_many(self, names: Iterable[str]) -> dict[ObjectName, tuple[str, bytes]]:
        """Returns (kind, content) by name; a name without object is left out."""
        found: dict[ObjectName, tuple[str, bytes]] = {}
        rest: list[str] = []
        for name in dict.fromkeys(names):
            loose = read_loose(self._objects_dir, name) if self._loose else None
            if loose is not None:
                found[ObjectName(name)] = loose
            elif name and "\n" not in name and "\0" not in name:
                rest.append(name)
        return found | self._ask_git(rest) if rest else found

    def _ask_git(self, names: Sequence[str]) -> dict[ObjectName, tuple[str, bytes]]:
        try:
            answers = list(self._batch.ask(names))
        except BaseException:
            # With answers left unread, the next question would get them.
            self._batch.close()
            raise
        return {ObjectName(n): answer[1:] for n, answer in zip(names, answers, strict=True) if answer is not None}

    def commit(self, name: CommitId) -> Commit:
        """Returns a commit.

        Raises:
            NotFoundError: There is no such object.
            GitError: It is not a commit.
        """
        return self.commits((name,))[0]

    def commits(self, names: Sequence[CommitId]) -> tuple[Commit, ...]:
        """Returns commits in the order asked, reading them all at once."""
        unknown = [name for name in names if name not in self._commits]
        contents = self.read_many(unknown)
        for name in unknown:
            self._commits[name] = parse_commit(name, self._of_kind("commit", name, contents.get(ObjectName(name))))
        return tuple(self._commits[name] for name in names)

    def tree(self, name: TreeId) -> tuple[TreeEntry, ...]:
        """Returns the entries of a tree, in Git's order."""
        entries = self._trees.get(name)
        if entries is None:
            content = self._of_kind("tree", name, self.read_many((name,)).get(ObjectName(name)))
            entries = self._trees[name] = parse_tree(content, len(name) // 2)
        return entries

    def blob(self, name: BlobId) -> bytes:
        """Returns the content of a file."""
        return self._of_kind("blob", name, self.read_many((name,)).get(ObjectName(name)))

    def find(self, tree: TreeId, path: GitPath) -> TreeEntry | None:
        """Returns the entry at a path below a tree, None if there is none; links are not followed."""
        entry: TreeEntry | None = TreeEntry(MODE_TREE, "", ObjectName(tree))
        for part in path.split("/") if path else ():
            if entry is None or entry.mode != MODE_TREE:
                return None
            entry = next((e for e in self.tree(TreeId(entry.id)) if e.name == part), None)
        return entry

    def _of_kind(self, kind: str, name: str, found: tuple[str, bytes] | None) -> bytes:
        if found is None:
            raise self._missing(name)
        if found[0] != kind:
            raise GitError(f"object '{name}' is a {found[0]}, not a {kind}", hint=f"git cat-file -p {name} shows it")
        return found[1]

    def _missing(self, name: str) -> NotFoundError:
        shallow = is_shallow(self._repo)
        hint = "this clone has no older history: git fetch --unshallow" if shallow else "git fsck tells what is missing"
        return NotFoundError(f"Git has no object '{name}' in '{self._repo.root}'", hint=hint)


def write_blob(repo: GitRepo, content: bytes) -> BlobId:
    """Stores a file's content as it is, without filters."""
    return BlobId(repo_git(repo, "hash-object", "-w", "--stdin", input=content).decode().strip())


def write_tree(repo: GitRepo, entries: Mapping[GitPath, tuple[int, BlobId]]) -> TreeId:
    """Stores a tree of some files: path to (mode, blob).

    Raises:
        GitError: A path is not allowed in a tree.
    """
    with private_index(repo) as (index, _):
        put_entries(repo, index, {path: (mode, ObjectName(blob)) for path, (mode, blob) in entries.items()})
        return TreeId(repo_git(repo, "write-tree", index=index).decode().strip())


def empty_tree(repo: GitRepo) -> TreeId:
    """Stores the tree without files, for a commit that is only a message."""
    return TreeId(repo_git(repo, "mktree").decode().strip())


# The second one is said of variables that are set, but empty, as a CI sets them from a secret that it does not have.
_NO_IDENTITY = (b"tell me who you are", b"empty ident name")


def write_commit(
    repo: GitRepo,
    *,
    tree: TreeId,
    parents: Sequence[CommitId],
    message: str,
    identity: tuple[str, str] | None = None,
    time_s: int | None = None,
    utc_offset_s: int = 0,
) -> CommitId:
    """Stores a commit; no ref moves, no hook runs, nothing is signed, the message is kept to the byte.

    Args:
        repo: Where.
        tree: Its tree.
        parents: Its parents.
        message: The whole message; no newline is added.
        identity: (name, mail) of author and committer; the user's own when None, the login name failing that.
        time_s: Seconds since 1970 UTC; now when None.
        utc_offset_s: Offset to write beside `time_s`.
    """
    args = ["-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree]
    for parent in parents:
        args += ("-p", parent)
    variables: dict[str, str] = {}
    if identity is not None:
        for role in ("AUTHOR", "COMMITTER"):
            variables |= {f"GIT_{role}_NAME": identity[0], f"GIT_{role}_EMAIL": identity[1]}
    if time_s is not None:
        date = f"@{time_s} {_offset_text(utc_offset_s)}"
        variables |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    content = message.encode(errors="surrogateescape")
    done = finish_git(repo.root, *args, env=repo_env(repo, env=variables), input=content)
    if done.code != 0 and identity is None and any(sign in done.err for sign in _NO_IDENTITY):
        variables = {**load("offbranch.git.identity:fallback_identity")(repo), **variables}
        done = finish_git(repo.root, *args, env=repo_env(repo, env=variables), input=content)
    if done.code != 0:
        raise git_error(repo.root, args, done)
    return CommitId(done.out.decode().strip())


def add_headers(repo: GitRepo, commit: CommitId, headers: Sequence[tuple[str, str]]) -> CommitId:
    """Stores a commit again with more headers behind the standard ones; Git keeps headers that it does not know.

    Args:
        headers: Name and value of each, in one line.

    Source: Git 2.39, builtin/commit-tree and commit.c, "extra headers".
    """
    if not headers:
        return commit
    head, _, message = repo_git(repo, "cat-file", "commit", commit).partition(b"\n\n")
    lines = "".join(f"\n{name} {value}" for name, value in headers).encode()
    content = head + lines + b"\n\n" + message
    return CommitId(repo_git(repo, "hash-object", "-t", "commit", "-w", "--stdin", input=content).decode().strip())


def diff_trees(repo: GitRepo, a: TreeId, b: TreeId) -> tuple[TreeChange, ...]:
    """Returns how the files of tree `b` differ from those of tree `a`, in path order; renames are not guessed."""
    if a == b:
        return ()
    out = repo_git(
        repo, "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--ignore-submodules=none", a, b
    )
    fields = out.split(b"\0")
    changes = []
    for meta, path in zip(fields[0::2], fields[1::2], strict=False):
        old_mode, new_mode, old_id, new_id, status = meta[1:].decode().split(" ")
        changes.append(
            TreeChange(
                path=GitPath(os.fsdecode(path)),
                status=status[0],
                old_mode=int(old_mode, 8),
                new_mode=int(new_mode, 8),
                old_id=ObjectName(old_id),
                new_id=ObjectName(new_id),
            )
        )
    return tuple(changes)


def _offset_text(offset_s: int) -> str:
    minutes = abs(offset_s) // 60
    return f"{'-' if offset_s < 0 else '+'}{minutes // 60:02}{minutes % 60:02}"
