"""Makes the tracked files of a work tree equal to a tree, writing only what differs; index and HEAD stay as they are.

The plan compares two trees and looks at the disk for what is in the way; carrying it out goes through a private index
that holds the changed files only, so that Git applies filters, line endings and modes.
"""

import os
import stat
from collections.abc import Sequence

from offbranch.base.errors import ConflictError
from offbranch.base.files import remove_file
from offbranch.base.paths import GitPath, join
from offbranch.base.records import record
from offbranch.git.ids import TreeId
from offbranch.git.index import private_index, put_entries
from offbranch.git.objects import MODE_EXECUTABLE, MODE_LINK, MODE_SUBMODULE, TreeChange, diff_trees
from offbranch.git.repository import GitRepo, repo_git

_ATTRIBUTES = ".gitattributes"
_CHECKOUT = ("-c", "core.sparseCheckout=false", "checkout-index", "--force", "--quiet")


@record
class TreeCheckout:
    """What has to be done to go from one tree to another.

    Attributes:
        changes: The files to write or remove, in path order; not those that untracked files on disk equal already.
        blocked: Paths of `changes` where something lies that is not in the tree we come from.
        submodules: Submodules that differ; they are left alone.
    """

    changes: tuple[TreeChange, ...]
    blocked: tuple[GitPath, ...]
    submodules: tuple[GitPath, ...]


def plan_tree_checkout(repo: GitRepo, from_tree: TreeId, to_tree: TreeId) -> TreeCheckout:
    """Returns what has to be written; reads only.

    Args:
        repo: In whose work tree.
        from_tree: What the tracked files are now. A file on disk that is not in it is not ours to overwrite, but one
            that has the wanted content already is no obstacle.
        to_tree: What they shall be.
    """
    differences = diff_trees(repo, from_tree, to_tree)
    submodules = tuple(c.path for c in differences if MODE_SUBMODULE in (c.old_mode, c.new_mode))
    changes = tuple(c for c in differences if MODE_SUBMODULE not in (c.old_mode, c.new_mode))
    leaving = frozenset(c.path for c in changes if c.status in "DT")
    in_the_way = [c for c in changes if c.status != "D" and _is_in_the_way(repo, c, leaving)]
    blocked = tuple(c.path for c in _less_the_equal(repo, in_the_way))
    there = {c.path for c in in_the_way if _has_mode(repo, c)}.difference(blocked)
    return TreeCheckout(
        changes=tuple(c for c in changes if c.path not in there), blocked=blocked, submodules=submodules
    )


def apply_tree_checkout(repo: GitRepo, plan: TreeCheckout, *, overwrite: bool = False) -> None:
    """Carries out a plan. Interrupted, it leaves some files new and some old; doing it again completes it.

    Args:
        repo: In whose work tree.
        plan: What to do.
        overwrite: Replace files and links that are in the way; directories never.

    Raises:
        ConflictError: Something is in the way; nothing has been written.
        GitError: A path is not allowed (nothing has been written), a file cannot be written, or a filter fails.
    """
    refuse_stubborn(stubborn_paths(repo, plan) if overwrite else plan.blocked)
    with private_index(repo) as (index, _):
        # First, because here Git refuses every path that leads out of the work tree or into `.git`.
        put_entries(repo, index, {c.path: (c.new_mode, c.new_id) for c in plan.changes if c.status != "D"})
        _make_room(repo, plan)
        # Git reads the attributes of a file from the work tree, so these come before the files they speak of.
        attributes = [c.path for c in plan.changes if c.status != "D" and _is_attributes(c.path)]
        if attributes:
            lines = b"".join(os.fsencode(path) + b"\0" for path in attributes)
            repo_git(repo, *_CHECKOUT, "-z", "--stdin", input=lines, index=index)
        repo_git(repo, *_CHECKOUT, "--all", index=index)


def stubborn_paths(repo: GitRepo, plan: TreeCheckout) -> tuple[GitPath, ...]:
    """Returns where something is in the way that is never replaced: a directory, or a file or link instead of one."""
    return tuple(path for path in plan.blocked if _is_directory(repo, path) or _link_above(repo, path, ()))


def refuse_stubborn(paths: Sequence[GitPath]) -> None:
    """Makes sure that nothing is in the way.

    Raises:
        ConflictError: Something is.
    """
    if paths:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        raise ConflictError(
            f"cannot write '{paths[0]}'{more}: something Git does not track is in the way",
            hint=f"move it away: mv '{paths[0]}' somewhere else",
        )


def _make_room(repo: GitRepo, plan: TreeCheckout) -> None:
    for change in reversed(plan.changes):
        if change.status in "DT":
            _remove(repo, change.path)
    for path in plan.blocked:
        remove_file(join(repo.root, path))


def _remove(repo: GitRepo, path: GitPath) -> None:
    """Removes a file and the directories that become empty, never through a link."""
    if _link_above(repo, path, ()):
        return
    where = join(repo.root, path)
    if os.path.islink(where) or os.path.isfile(where):
        os.unlink(where)
    parent = path.rpartition("/")[0]
    while parent:
        try:
            os.rmdir(join(repo.root, parent))
        except OSError:
            return
        parent = parent.rpartition("/")[0]


def _is_in_the_way(repo: GitRepo, change: TreeChange, leaving: frozenset[GitPath]) -> bool:
    if _link_above(repo, change.path, leaving):
        return True
    if change.path in leaving:
        return False
    try:
        mode = os.lstat(join(repo.root, change.path)).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISDIR(mode):
        return not _holds_only(repo, change.path, leaving)
    return change.status == "A"


def _link_above(repo: GitRepo, path: GitPath, leaving: frozenset[GitPath] | tuple[()]) -> bool:
    """Tells whether a link or file stands where a directory above `path` should be, and will not leave."""
    parts = path.split("/")
    for n in range(1, len(parts)):
        above = GitPath("/".join(parts[:n]))
        try:
            mode = os.lstat(join(repo.root, above)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not stat.S_ISDIR(mode):
            return above not in leaving
    return False


def _holds_only(repo: GitRepo, directory: GitPath, leaving: frozenset[GitPath]) -> bool:
    """Tells whether all files in a directory on disk are going to be removed."""
    for where, directories, files in os.walk(join(repo.root, directory)):
        below = os.path.relpath(where, repo.root).replace(os.sep, "/")
        links = [name for name in directories if os.path.islink(os.path.join(where, name))]
        if any(GitPath(f"{below}/{name}") not in leaving for name in (*files, *links)):
            return False
    return True


def _less_the_equal(repo: GitRepo, changes: Sequence[TreeChange]) -> list[TreeChange]:
    """Leaves out the files on disk that have the wanted content already (filters applied)."""
    plain = [c for c in changes if c.new_mode != MODE_LINK and _can_be_hashed(repo, c.path)]
    if not plain:
        return list(changes)
    paths = "".join(c.path + "\n" for c in plain).encode("utf-8", "surrogateescape")
    ids = repo_git(repo, "hash-object", "--stdin-paths", input=paths).decode().split()
    equal = {c.path for c, name in zip(plain, ids, strict=True) if c.new_id == name}
    return [c for c in changes if c.path not in equal]


def _has_mode(repo: GitRepo, change: TreeChange) -> bool:
    try:
        mode = os.lstat(join(repo.root, change.path)).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR) is (change.new_mode == MODE_EXECUTABLE)


def _can_be_hashed(repo: GitRepo, path: GitPath) -> bool:
    """Tells whether a plain file is there and its name can be told to `hash-object` line by line."""
    if "\n" in path or path.startswith('"') or _link_above(repo, path, ()):
        return False
    where = join(repo.root, path)
    return os.path.isfile(where) and not os.path.islink(where)


def _is_directory(repo: GitRepo, path: GitPath) -> bool:
    where = join(repo.root, path)
    return os.path.isdir(where) and not os.path.islink(where)


def _is_attributes(path: GitPath) -> bool:
    return path.rpartition("/")[2] == _ATTRIBUTES
