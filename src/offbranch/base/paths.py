"""Kinds of paths, and the names of our files and directories.

Paths are plain strings with a static type, not `pathlib` objects: a directory of a million files is walked with them,
and a start-up of `ob` does not pay for the import. A `RepoPath` always has `/` between its parts, never starts with
`./` or `/`, never contains `..`, and is relative to the project root; the root itself is the empty string. A `GitPath`
is the same, relative to the top of the Git work tree: the two differ in a project made with `ob init --subdir`.
"""

import os
import posixpath
from typing import NewType

AbsPath = NewType("AbsPath", str)
RepoPath = NewType("RepoPath", str)
GitPath = NewType("GitPath", str)

DVC_DIR = ".dvc"
CONFIG_FILE = ".dvc/config"
LOCAL_CONFIG_FILE = ".dvc/config.local"
TMP_DIR = ".dvc/tmp"
OB_DIR = ".dvc/tmp/ob"
REPRO_DAT = ".dvc/tmp/repro.dat"
PIPELINE_FILE = "dvc.yaml"
LOCK_FILE = "dvc.lock"
DATA_SUFFIX = ".dvc"
IGNORE_FILE = ".dvcignore"
PARAMS_FILE = "params.yaml"

ROOT = RepoPath("")
_PRIVATE = frozenset((".git", DVC_DIR))


def absolute(path: str, *, base: str | None = None) -> AbsPath:
    """Returns the normalised absolute form of a native path; symbolic links are not followed."""
    return AbsPath(os.path.normpath(os.path.join(base if base is not None else os.getcwd(), path)))


def join(root: AbsPath, path: RepoPath | str) -> AbsPath:
    """Returns where a path of the project is on disk."""
    return AbsPath(os.path.join(root, *path.split("/"))) if path else root


def relative_to(path: AbsPath, root: AbsPath) -> RepoPath | None:
    """Returns a native absolute path as one of the project below `root`, or None when it is outside."""
    if path == root:
        return ROOT
    prefix = root if root.endswith(os.sep) else root + os.sep
    if not path.startswith(prefix):
        return None
    rest = path[len(prefix) :]
    return RepoPath(rest.replace(os.sep, "/") if os.sep != "/" else rest)


def resolve_in(base: RepoPath, written: str) -> RepoPath | None:
    """Returns what a path written in a file means, seen from the directory `base`; None when it leaves the project."""
    path = posixpath.normpath(posixpath.join(base, written))
    if path == ".":
        return ROOT
    return None if path.startswith(("../", "/")) or path == ".." else RepoPath(path)


def is_private(path: RepoPath) -> bool:
    """Tells whether a path is the project itself, or belongs to Git or to the project's own files: no place for data."""
    return not path or not _PRIVATE.isdisjoint(path.lower().split("/"))


def is_external(written: str) -> bool:
    """Tells whether a path written in a file is absolute or a url."""
    return written[:1] == "/" or "://" in written or (os.name == "nt" and os.path.isabs(written))


def parent(path: RepoPath) -> RepoPath:
    """Returns the directory that holds a path of the project."""
    return RepoPath(path.rpartition("/")[0])


def is_same_or_inside(path: str, directory: str) -> bool:
    """Tells whether one path of the project is another, or lies below it."""
    return directory == "" or path == directory or path.startswith(directory + "/")


def overlap(a: str, b: str) -> bool:
    """Tells whether one of two paths is the other or contains it."""
    return is_same_or_inside(a, b) or is_same_or_inside(b, a)
