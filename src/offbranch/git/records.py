"""Commits and trees as records, parsed from the content of their objects (gitformat of Git 2.39)."""

import os

from offbranch.base.records import positional_record, record
from offbranch.git.ids import CommitId, ObjectName, TreeId

MODE_FILE = 0o100644
MODE_EXECUTABLE = 0o100755
MODE_LINK = 0o120000
MODE_SUBMODULE = 0o160000
MODE_TREE = 0o040000


@record
class Commit:
    """A commit.

    Attributes:
        id: Its id.
        tree: Its tree.
        parents: Its parents, in order; empty for a first commit.
        author: `Name <mail>`.
        committer: `Name <mail>`.
        author_time: When its change was made, in seconds since 1970 UTC; a rebase or an amendment keeps it.
        commit_time: When it was committed, in seconds since 1970 UTC.
        utc_offset_s: The committer's offset from UTC.
        message: All of it, exactly.
        headers: Name and value of those that Git itself does not write, in their order.
    """

    id: CommitId
    tree: TreeId
    parents: tuple[CommitId, ...]
    author: str
    committer: str
    author_time: int
    commit_time: int
    utc_offset_s: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str | None:
        """Returns the value of a header that Git itself does not write; None where there is none of that name."""
        return next((value for key, value in self.headers if key == name), None)


# What `git commit-tree` writes, and signs or keeps (gitformat-signature(5)).
_STANDARD = frozenset((b"tree", b"author", b"committer", b"encoding", b"gpgsig", b"gpgsig-sha256", b"mergetag"))


@positional_record
class TreeEntry:
    """One name in a tree; `mode` is one of the MODE constants in a sound tree."""

    mode: int
    name: str
    id: ObjectName


def parse_commit(name: CommitId, content: bytes) -> Commit:
    """Returns the commit that the content of a commit object describes."""
    head, _, message = content.partition(b"\n\n")
    parents: list[CommitId] = []
    fields: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(CommitId(value.decode()))
        elif key:  # a continued line (of a signature) begins with a blank
            fields.setdefault(key, value)
    encoding = fields.get(b"encoding", b"utf-8").decode("ascii", "replace")
    author, author_time_s, _ = _parse_person(fields.get(b"author", b""), encoding)
    committer, time_s, offset_s = _parse_person(fields.get(b"committer", b""), encoding)
    return Commit(
        id=name,
        tree=TreeId(fields.get(b"tree", b"").decode()),
        parents=tuple(parents),
        author=author,
        committer=committer,
        author_time=author_time_s,
        commit_time=time_s,
        utc_offset_s=offset_s,
        message=_text(message, encoding),
        headers=_headers(fields),
    )


def _headers(fields: dict[bytes, bytes]) -> tuple[tuple[str, str], ...]:
    if fields.keys() <= _STANDARD:
        return ()
    return tuple(
        (key.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
        for key, value in fields.items()
        if key not in _STANDARD
    )


def parse_tree(content: bytes, id_size_bytes: int) -> tuple[TreeEntry, ...]:
    """Returns the entries that the content of a tree object lists."""
    entries = []
    at = 0
    while at < len(content):
        blank = content.index(b" ", at)
        end = content.index(b"\0", blank)
        after = end + 1 + id_size_bytes
        name = content[end + 1 : after].hex()
        entries.append(TreeEntry(int(content[at:blank], 8), os.fsdecode(content[blank + 1 : end]), ObjectName(name)))
        at = after
    return tuple(entries)


def _parse_person(line: bytes, encoding: str) -> tuple[str, int, int]:
    """Returns (`Name <mail>`, seconds, offset) of an author or committer line."""
    person, _, stamp = line.rpartition(b"> ")
    words = stamp.split()
    try:
        time_s, offset = int(words[0]), int(words[1])
    except (IndexError, ValueError):  # written by a careless program; Git itself reads such a time as 0
        return _text(line, encoding), 0, 0
    sign = -1 if offset < 0 else 1
    return _text(person + b">", encoding), time_s, sign * (abs(offset) // 100 * 3600 + abs(offset) % 100 * 60)


def _text(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return content.decode("utf-8", "surrogateescape")
