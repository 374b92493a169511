"""The paths in a small index, read from its file: a process of Git takes as long as 3,000 of them.

Whatever is out of the ordinary is left to Git: paths that are compressed (version 4), an index that is split or sparse, one
that is large, or of no form that is known. Format: gitformat-index(5), Git 2.39.
"""

import os
from collections.abc import Iterator

from offbranch.base.paths import AbsPath
from offbranch.git.repository import GitRepo

# About 2,000 paths, which take 1 ms.
_MOST_BYTES = 200_000
_HEADER_BYTES = 12
_MODE = 24
_STAT_BYTES = 40
# Of the higher byte of the flags.
_EXTENDED = 0x40
_LONG_NAME = 0xFFF
_DIRECTORY = 0o040000.to_bytes(4, "big")


def index_names(repo: GitRepo, index: AbsPath | None = None) -> frozenset[str] | None:
    """Returns the paths that an index has, in whatever stage; None where Git is to be asked.

    Args:
        repo: Whose.
        index: A private one; the user's if not given.
    """
    try:
        with open(index or os.path.join(repo.git_dir, "index"), "rb") as file:
            if os.fstat(file.fileno()).st_size > _MOST_BYTES:
                return None
            content = file.read()
        return frozenset(os.fsdecode(b"\0".join(_names(content, len(repo.null_id) // 2))).split("\0")) - {""}
    except (OSError, ValueError, IndexError):
        return None


def _names(content: bytes, hash_bytes: int) -> Iterator[bytes]:
    if (
        len(content) < _HEADER_BYTES + hash_bytes
        or content[:4] != b"DIRC"
        or content[4:8] not in (b"\0\0\0\2", b"\0\0\0\3")
    ):
        raise ValueError
    at = _HEADER_BYTES
    for _ in range(int.from_bytes(content[8:12], "big")):
        flags_at = at + _STAT_BYTES + hash_bytes
        high = content[flags_at]
        length = (high & 0xF) << 8 | content[flags_at + 1]
        name_at = flags_at + (4 if high & _EXTENDED else 2)
        end = name_at + length if length < _LONG_NAME else content.index(b"\0", name_at)
        if content[end] != 0 or content[at + _MODE : at + _MODE + 4] == _DIRECTORY:
            raise ValueError
        yield content[name_at:end]
        at += (end - at + 8) & ~7
    _refuse_required(content[at : len(content) - hash_bytes])


def _refuse_required(extensions: bytes) -> None:
    """Raises an error where the index does not mean what its entries say: such an extension begins with a small letter."""
    at = 0
    while at < len(extensions):
        if not 0x41 <= extensions[at] <= 0x5A:
            raise ValueError
        at += 8 + int.from_bytes(extensions[at + 4 : at + 8], "big")
    if at != len(extensions):
        raise ValueError
