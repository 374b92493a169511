"""The tree of the user's workspace as it is on disk, made through a private index.

What Git tracks is taken with its content on disk, filters applied (`git add -u`), what the user has staged is kept,
and chosen files are added even when ignored. The user's index, HEAD, stash and refs are not written. At most five Git
processes: add, update-index for what is included, ls-files and update-index for what is excluded, write-tree.
"""

import os
import stat
from collections.abc import Iterator, Sequence, Set

from offbranch.base.paths import AbsPath, GitPath, is_same_or_inside, join
from offbranch.git.ids import TreeId
from offbranch.git.index import private_index
from offbranch.git.index_names import index_names
from offbranch.git.repository import GitRepo, repo_git

# A split index of ours would leave its shared half behind. `safecrlf` and `ignoreErrors` would let the snapshot fail,
# or be incomplete, for reasons that matter only to a commit by hand.
_SETTINGS = ("-c", "core.splitIndex=false", "-c", "core.safecrlf=false", "-c", "add.ignoreErrors=false")


def snapshot_tree(repo: GitRepo, *, include: Sequence[GitPath] = (), exclude: Sequence[GitPath] = ()) -> TreeId:
    """Stores the workspace as a tree and returns its id.

    Args:
        repo: Whose workspace.
        include: Files and directories to add though Git does not track them, ignored ones too. Missing ones are
            skipped, and so is what lies in a submodule, in another repository or beyond a symbolic link.
        exclude: Files and directories that shall not be in the tree, tracked or not.

    Raises:
        GitError: A file cannot be read, or a required filter fails.
    """
    with private_index(repo, from_user=True) as (index, has_content):
        if not has_content:
            _start_from_head(repo, index)
        repo_git(repo, *_SETTINGS, "add", "-u", index=index)
        _add(repo, index, include, exclude)
        _remove(repo, index, exclude)
        return TreeId(repo_git(repo, *_SETTINGS, "write-tree", index=index).decode().strip())


def files_to_add(repo: GitRepo, include: Sequence[GitPath], exclude: Sequence[GitPath] = ()) -> tuple[GitPath, ...]:
    """Returns the files that `include` stands for on disk, in path order; see `snapshot_tree`."""
    submodules = _submodules(repo) if include else ()
    found: set[GitPath] = set()
    for path in include:
        if path and _is_reachable(repo.root, path, submodules):
            found.update(_walk(repo.root, path, submodules))
        elif not path:
            found.update(_walk_children(repo.root, path, submodules))
    return tuple(sorted(p for p in found if not any(is_same_or_inside(p, e) for e in exclude)))


def _add(repo: GitRepo, index: AbsPath, include: Sequence[GitPath], exclude: Sequence[GitPath]) -> None:
    files = files_to_add(repo, include, exclude)
    if files:
        args = (*_SETTINGS, "update-index", "--add", "--replace", "-z", "--stdin")
        repo_git(repo, *args, input=_lines(files), index=index)


def _remove(repo: GitRepo, index: AbsPath, exclude: Sequence[GitPath]) -> None:
    if not exclude:
        return
    names = index_names(repo, index)
    if names is not None and not _any_inside(names, exclude):
        return
    # update-index knows no directories, so the index is asked what lies in them.
    tracked = repo_git(repo, "ls-files", "-z", "--", *exclude, index=index)
    if tracked:
        repo_git(repo, *_SETTINGS, "update-index", "--force-remove", "-z", "--stdin", input=tracked, index=index)


def _any_inside(names: Set[str], paths: Sequence[str]) -> bool:
    above = tuple(f"{path}/" for path in paths)
    return not all(paths) or not names.isdisjoint(paths) or any(name.startswith(above) for name in names)


def _start_from_head(repo: GitRepo, index: AbsPath) -> None:
    """Fills the index with what HEAD has: without an index of the user everything would count as deleted."""
    tree = repo_git(repo, "rev-parse", "--quiet", "--verify", "HEAD^{tree}", ok=(0, 1)).decode().strip()
    if tree:
        repo_git(repo, "read-tree", tree, index=index)


def _is_reachable(root: AbsPath, path: GitPath, submodules: Sequence[str]) -> bool:
    """Tells whether every directory above a path is a real directory of this repository."""
    parts = path.split("/")
    above = ["/".join(parts[:n]) for n in range(1, len(parts))]
    return all(_is_own_directory(root, directory, submodules) for directory in above)


def _is_own_directory(root: AbsPath, path: str, submodules: Sequence[str]) -> bool:
    where = join(root, path)
    if path in submodules or path.rpartition("/")[2].lower() == ".git":
        return False
    try:
        is_directory = stat.S_ISDIR(os.lstat(where).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return is_directory and not os.path.lexists(os.path.join(where, ".git"))


def _walk(root: AbsPath, path: str, submodules: Sequence[str]) -> Iterator[GitPath]:
    try:
        mode = os.lstat(join(root, path)).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        if path.rpartition("/")[2].lower() != ".git":
            yield GitPath(path)
    elif stat.S_ISDIR(mode) and _is_own_directory(root, path, submodules):
        yield from _walk_children(root, path, submodules)


def _walk_children(root: AbsPath, path: str, submodules: Sequence[str]) -> Iterator[GitPath]:
    for name in os.listdir(join(root, path)):
        yield from _walk(root, f"{path}/{name}" if path else name, submodules)


def _submodules(repo: GitRepo) -> tuple[str, ...]:
    """Returns the paths named in .gitmodules: one that is not checked out looks like any empty directory."""
    try:
        with open(join(repo.root, ".gitmodules"), "rb") as file:
            lines = os.fsdecode(file.read()).splitlines()
    except (FileNotFoundError, IsADirectoryError):
        return ()
    pairs = (line.partition("=") for line in lines)
    return tuple(value.strip().strip('"').rstrip("/") for key, _, value in pairs if key.strip().lower() == "path")


def _lines(paths: Sequence[GitPath]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)
