"""Temporary working copies: linked work trees of the user's repository in a pool of slots that are used again.

Writing the files is what costs, so a slot keeps them for the next user, who only gets the differences. A slot is held
by a lock that dies with its holder; one left in disorder is put in order by the next, or made anew. What Git sees is an
ordinary linked work tree (gitrepository-layout(5), Git 2.39), locked with a reason that says what it is.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from offbranch.base.errors import GitError, LockedError
from offbranch.base.files import remove_file, remove_tree
from offbranch.base.hashes import sha256
from offbranch.base.locks import LockFile, hold_lock
from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.git.ids import CommitId, TreeId
from offbranch.git.repository import GitRepo, repo_git

_REASON = "temporary working copy of offbranch (ob); made, used again and removed by it\n"
_SETTINGS = tuple(
    word
    for setting in (
        "core.sparseCheckout=false",
        "core.fsmonitor=false",
        "core.splitIndex=false",
        "submodule.recurse=false",
    )
    for word in ("-c", setting)
)
_GIT_DIR_PREFIX = "ob-"
_MAX_SLOTS = 1000


@record
class WorkingCopy:
    """A directory with all files of a tree.

    Attributes:
        root: The directory.
        repo: It as a repository of its own: HEAD and index are its own, objects and branches the user's.
        lock: The lock of the slot; a command that may outlive us should inherit it.
    """

    root: AbsPath
    repo: GitRepo
    lock: LockFile


@contextmanager
def open_working_copy(
    repo: GitRepo, pool_dir: AbsPath, tree: TreeId, head: CommitId, *, discard: bool = False
) -> Iterator[WorkingCopy]:
    """Gives a working copy whose files and index are a tree, and whose HEAD stands, detached, on a commit.

    Args:
        repo: The user's repository.
        pool_dir: Where the slots are; made if needed, and hidden from `git status`.
        tree: What the files shall be.
        head: Where HEAD shall be.
        discard: Remove the slot afterwards; otherwise it stays, without untracked and ignored files.

    Raises:
        GitError: Git cannot write the files.
    """
    _make_pool(pool_dir)
    with ExitStack() as stack:
        slot, lock = _take_slot(stack, pool_dir)
        linked = _prepare(repo, slot, tree, head)
        try:
            yield WorkingCopy(root=slot, repo=linked, lock=lock)
        finally:
            # What a command has left behind may still write there: nobody gets the slot before that has ended.
            if not lock.is_left_to_heirs(lock_of_copy(slot)) and (discard or not _tidy(linked)):
                _remove_slot(repo, slot)


def remove_pool(repo: GitRepo, pool_dir: AbsPath) -> tuple[AbsPath, ...]:
    """Removes every slot that nobody uses, and returns those that are in use."""
    in_use = []
    for slot in _slots(pool_dir):
        try:
            with hold_lock(lock_of_copy(slot)):
                _remove_slot(repo, slot)
        except LockedError:
            in_use.append(slot)
    _forget_vanished(repo)
    return tuple(in_use)


def _take_slot(stack: ExitStack, pool_dir: AbsPath) -> tuple[AbsPath, LockFile]:
    for number in range(1, _MAX_SLOTS):
        slot = AbsPath(os.path.join(pool_dir, f"slot-{number}"))
        try:
            return slot, stack.enter_context(hold_lock(lock_of_copy(slot)))
        except LockedError:
            continue
    raise GitError(f"no free working copy in '{pool_dir}'", hint="wait until another experiment has finished")


def _prepare(repo: GitRepo, slot: AbsPath, tree: TreeId, head: CommitId) -> GitRepo:
    try:
        return _use_again(repo, slot, tree, head)
    except (GitError, OSError):
        # Whatever a killed command left there: an empty slot is a sound one, and if this fails too, the reason is true.
        _remove_slot(repo, slot)
        return _make_anew(repo, slot, tree, head)


def _use_again(repo: GitRepo, slot: AbsPath, tree: TreeId, head: CommitId) -> GitRepo:
    was_tidied = os.path.exists(_tidy_mark(slot))
    remove_file(_tidy_mark(slot))
    git_dir = _git_dir_of(repo, slot)
    if not os.path.exists(os.path.join(git_dir, "index")):
        _remove_slot(repo, slot)
        return _make_anew(repo, slot, tree, head)
    for name in ("index.lock", "HEAD.lock"):
        remove_file(AbsPath(os.path.join(git_dir, name)))
    linked = _link(repo, slot, head)
    if not was_tidied:
        _clean(linked)
    _write_files(linked, tree)
    return linked


def _make_anew(repo: GitRepo, slot: AbsPath, tree: TreeId, head: CommitId) -> GitRepo:
    _forget_vanished(repo)
    linked = _link(repo, slot, head)
    _write_files(linked, tree)
    return linked


def _write_files(linked: GitRepo, tree: TreeId) -> None:
    repo_git(linked, *_SETTINGS, "read-tree", "--reset", "-u", tree)


def _tidy(linked: GitRepo) -> bool:
    """Removes what is not tracked and marks the slot as tidy; False when that did not work."""
    try:
        _clean(linked)
        with open(_tidy_mark(linked.root), "wb"):
            return True
    except (GitError, OSError):
        return False


def _clean(linked: GitRepo) -> None:
    repo_git(linked, *_SETTINGS, "clean", "-ffdxq")


def _remove_slot(repo: GitRepo, slot: AbsPath) -> None:
    """Removes a slot, its files and what Git knows of it; whoever calls holds its lock."""
    git_dir = _git_dir_of(repo, slot)
    remove_file(_tidy_mark(slot))
    remove_file(AbsPath(os.path.join(git_dir, "gitdir")))  # first, see `_link`
    remove_tree(slot)
    remove_tree(git_dir)


def _link(repo: GitRepo, slot: AbsPath, head: CommitId) -> GitRepo:
    """Makes a directory a linked work tree with HEAD on a commit; what is so already stays.

    By hand, because `git worktree add` takes four processes more; but where refs are not files, by Git.
    """
    os.makedirs(slot, exist_ok=True)
    if repo.plain_refs:
        git_dir = _git_dir_of(repo, slot)
        os.makedirs(git_dir, exist_ok=True)
        _write(git_dir, "commondir", "../..\n")
        _write(git_dir, "HEAD", head + "\n")
        _write(git_dir, "locked", _REASON)
        _write(slot, ".git", f"gitdir: {git_dir}\n")
        # Last: with it Git knows the work tree, and would complain of one without HEAD.
        _write(git_dir, "gitdir", os.path.join(slot, ".git") + "\n")
    elif not os.path.exists(os.path.join(slot, ".git")):
        repo_git(repo, "worktree", "add", "--no-checkout", "--detach", "--force", "--quiet", slot, head)
    linked = replace(repo, root=slot, git_dir=_git_dir_of(repo, slot))
    if not repo.plain_refs:
        repo_git(linked, "update-ref", "--no-deref", "HEAD", head)
    _write(linked.git_dir, "locked", _REASON)
    return linked


def _git_dir_of(repo: GitRepo, slot: AbsPath) -> AbsPath:
    """Returns where Git keeps HEAD and index of a slot; always a directory in `worktrees`."""
    worktrees = os.path.join(repo.common_dir, "worktrees")
    digest = sha256(os.fsencode(slot))[:12]
    name = f"{_GIT_DIR_PREFIX}{digest}"
    if not repo.plain_refs:
        # Git chose the name.
        linked_to = _read(slot, ".git").removeprefix("gitdir:").strip()
        if os.path.dirname(linked_to) == worktrees:
            name = os.path.basename(linked_to)
    return AbsPath(os.path.join(worktrees, name))


def _forget_vanished(repo: GitRepo) -> None:
    """Removes what Git knows of slots whose directory somebody has deleted; the lock keeps `git worktree prune` off."""
    worktrees = os.path.join(repo.common_dir, "worktrees")
    for name in os.listdir(worktrees) if os.path.isdir(worktrees) else ():
        git_dir = os.path.join(worktrees, name)
        if _read(git_dir, "locked") == _REASON and not os.path.exists(_read(git_dir, "gitdir").strip()):
            remove_tree(AbsPath(git_dir))


def _make_pool(pool_dir: AbsPath) -> None:
    if not os.path.isdir(pool_dir):
        os.makedirs(pool_dir, exist_ok=True)
        _write(pool_dir, ".gitignore", "*\n")


def _slots(pool_dir: AbsPath) -> list[AbsPath]:
    names = sorted(os.listdir(pool_dir)) if os.path.isdir(pool_dir) else []
    return [AbsPath(os.path.join(pool_dir, name)) for name in names if name.startswith("slot-") and name[5:].isdigit()]


def lock_of_copy(slot: AbsPath) -> AbsPath:
    """Returns the lock file of a working copy; it names who uses it, or was killed while using it."""
    return AbsPath(slot + ".lock")


def _tidy_mark(slot: AbsPath) -> AbsPath:
    return AbsPath(slot + ".tidy")


def _read(directory: str, name: str) -> str:
    try:
        with open(os.path.join(directory, name), "rb") as file:
            return os.fsdecode(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _write(directory: str, name: str, text: str) -> None:
    if _read(directory, name) != text:
        path = os.path.join(directory, name)
        # Whoever writes here holds the lock of the slot, so the name can be the same each time: nothing is left behind.
        with open(path + ".new", "wb") as file:
            file.write(os.fsencode(text))
        os.replace(path + ".new", path)
