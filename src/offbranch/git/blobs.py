"""Many files to blobs with one process, filters applied as `git add` would."""

import os
from collections.abc import Sequence

from offbranch.base.paths import AbsPath
from offbranch.git.ids import BlobId
from offbranch.git.repository import GitRepo, repo_git


def write_files(repo: GitRepo, paths: Sequence[AbsPath]) -> tuple[BlobId, ...]:
    """Stores files on disk, in the work tree or beside it, and returns their ids in the same order.

    Args:
        repo: Where.
        paths: The files; Git asks for each by its path seen from the work tree which filters it has.

    Raises:
        GitError: One cannot be read, or a required filter fails.
    """
    if not paths:
        return ()
    lines = b"".join(_line(os.fsencode(os.path.relpath(path, repo.root))) for path in paths)
    out = repo_git(repo, "-c", "core.safecrlf=false", "hash-object", "-w", "--stdin-paths", input=lines)
    return tuple(BlobId(line) for line in out.decode().split())


def _line(path: bytes) -> bytes:
    """Returns a path as one line; one that would not be one is quoted like a string of C."""
    if b"\n" in path or path.startswith(b'"'):
        path = b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    return path + b"\n"
