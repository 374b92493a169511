"""What differs between two commits, or between a commit and the work tree: Git's own diff, as numbers and as a patch.

The user's attributes and text conversions apply (`diff=`, `textconv`); external diff programs do not, because what is
promised is a unified diff. The work tree is looked at through a private index; nothing is stored.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from offbranch.base.paths import AbsPath, GitPath, join
from offbranch.base.records import record
from offbranch.git.ids import ObjectName, TreeId
from offbranch.git.index import private_index
from offbranch.git.repository import GitRepo, repo_git
from offbranch.git.snapshot import files_to_add

_SETTINGS = ("-c", "core.safecrlf=false")
_DIFF = ("diff", "--no-ext-diff", "--ignore-submodules=dirty")
# So many paths are given to one process: far below what a command line may hold.
_PATHS_AT_ONCE = 500


@record
class FileChange:
    """How one file differs.

    Attributes:
        path: The path; a renamed file is one that went and one that came.
        status: `A` added, `M` modified, `D` deleted, `T` another type.
        added, deleted: Lines; None for a binary file.
        old_id, new_id: The content; all zeros where there is none, or where it is only in the work tree.
    """

    path: GitPath
    status: str
    added: int | None
    deleted: int | None
    old_id: ObjectName
    new_id: ObjectName


@record
class Compared:
    """Two trees to compare; None stands for the work tree, of which one at most is.

    Attributes:
        index: Private index of the work tree; None where it takes no part.
    """

    repo: GitRepo
    old: TreeId | None
    new: TreeId | None
    index: AbsPath | None = None


@contextmanager
def open_comparison(repo: GitRepo, old: TreeId | None, new: TreeId | None) -> Iterator[Compared]:
    """Prepares a comparison.

    A file of the tree that lies in the work tree without being tracked takes part: it came with an experiment that was
    applied. Other untracked files do not.
    """
    tree = old if new is None else new
    if old is not None and new is not None:
        yield Compared(repo=repo, old=old, new=new)
    elif tree is None:
        raise ValueError("one side of a comparison must be a tree")
    else:
        with private_index(repo, from_user=True) as (index, _):
            lacking = [path for path in _files_lacking(repo, tree, index) if not os.path.isdir(join(repo.root, path))]
            untracked = files_to_add(repo, lacking)
            for start in range(0, len(untracked), _PATHS_AT_ONCE):
                paths = untracked[start : start + _PATHS_AT_ONCE]
                repo_git(repo, "add", "--force", "--intent-to-add", "--", *paths, index=index)
            yield Compared(repo=repo, old=old, new=new, index=index)


def changed_files(compared: Compared) -> tuple[FileChange, ...]:
    """Returns the files that differ, in path order."""
    out = _diff(compared, "--raw", "--numstat", "-z", "--no-renames", "--no-abbrev", "--no-textconv")
    parts = os.fsdecode(out).split("\0")
    raw: dict[str, list[str]] = {}
    lines: dict[str, tuple[int | None, int | None]] = {}
    at = 0
    while at < len(parts) and parts[at]:
        if parts[at].startswith(":"):
            raw[parts[at + 1]] = parts[at].split(" ")
            at += 2
        else:
            added, deleted, path = parts[at].split("\t", 2)
            lines[path] = (_number(added), _number(deleted))
            at += 1
    return tuple(_change(path, words, *lines.get(path, (None, None))) for path, words in sorted(raw.items()))


def ids_on_disk(repo: GitRepo, paths: Sequence[GitPath]) -> dict[GitPath, ObjectName]:
    """Returns the id that Git would give the content of files of the work tree, filters applied; nothing is stored."""
    links = [path for path in paths if os.path.islink(join(repo.root, path))]
    found = {path: _id_of(repo, os.fsencode(os.readlink(join(repo.root, path)))) for path in links}
    # `hash-object` is told names line by line.
    files = [path for path in paths if path not in found and "\n" not in path and not path.startswith('"')]
    lines = "".join(f"{path}\n" for path in files).encode("utf-8", "surrogateescape")
    if files:
        ids = repo_git(repo, "hash-object", "--stdin-paths", input=lines).decode().split()
        found.update(zip(files, map(ObjectName, ids), strict=True))
    return found


def _id_of(repo: GitRepo, content: bytes) -> ObjectName:
    whole = b"blob %d\0" % len(content) + content
    return ObjectName(hashlib.new(repo.hash_name, whole, usedforsecurity=False).hexdigest())


def patch_of(compared: Compared, paths: Sequence[GitPath], *, color: bool = False) -> str:
    """Returns the unified diff of some files."""
    shade = "--color=always" if color else "--no-color"
    texts = []
    for start in range(0, len(paths), _PATHS_AT_ONCE):
        texts.append(_diff(compared, shade, "--patch", "--", *paths[start : start + _PATHS_AT_ONCE]))
    return b"".join(texts).decode("utf-8", "replace")


def stat_of(compared: Compared, *, color: bool = False, width: int | None = None) -> str:
    """Returns what `git diff --stat` says of all files."""
    shade = "--color=always" if color else "--no-color"
    return _diff(compared, shade, f"--stat={width}" if width else "--stat").decode("utf-8", "replace")


def _diff(compared: Compared, *args: str) -> bytes:
    options, paths = (args[: args.index("--")], args[args.index("--") :]) if "--" in args else (args, ("--",))
    # A patch of ours can be given to `git apply`, whatever prefixes the user likes to look at.
    prefixes = ("--src-prefix=a/", "--dst-prefix=b/")
    if compared.old is not None and compared.new is not None:
        trees: tuple[str, ...] = (*prefixes, compared.old, compared.new)
    elif compared.old is not None:
        trees = (*prefixes, compared.old)
    else:
        # Git compares a tree with the work tree; the other way round only if told to turn it over, prefixes and all.
        trees = ("-R", "--src-prefix=b/", "--dst-prefix=a/", str(compared.new))
    return repo_git(compared.repo, *_SETTINGS, *_DIFF, *options, *trees, *paths, index=compared.index)


def _files_lacking(repo: GitRepo, tree: TreeId, index: AbsPath) -> Iterator[GitPath]:
    """Yields the files of a tree that an index does not have."""
    out = repo_git(
        repo, "diff-index", "--cached", "--diff-filter=D", "--no-renames", "--name-only", "-z", tree, "--", index=index
    )
    yield from (GitPath(os.fsdecode(path)) for path in out.split(b"\0") if path)


def _change(path: str, words: list[str], added: int | None, deleted: int | None) -> FileChange:
    return FileChange(
        path=GitPath(path),
        status=words[4][0],
        added=added,
        deleted=deleted,
        old_id=ObjectName(words[2]),
        new_id=ObjectName(words[3]),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None
