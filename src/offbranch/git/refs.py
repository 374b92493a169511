"""Branches, tags and every other ref: list, resolve, and change several in one transaction.

The layout of our own refs is not known here. A change names what it expects to find (compare-and-swap) and never
follows a symbolic ref.
"""

import os
import time
from collections.abc import Sequence
from enum import Enum
from typing import Final

from offbranch.base.errors import ConflictError
from offbranch.base.records import record
from offbranch.base.undisturbed import undisturbed
from offbranch.git.command import finish_git, git_error, lock_in_the_way
from offbranch.git.ids import CommitId, ObjectName, is_hex
from offbranch.git.repository import GitRepo, repo_git
from offbranch.git.spawn import Finished, Manner

BRANCHES = "refs/heads/"
TAGS = "refs/tags/"
# Git's own way to pretend that.
_AS_OTHER_USER = "GIT_TEST_ASSUME_DIFFERENT_OWNER"


class Anything(Enum):
    """The value of `RefUpdate.old` that means: whatever is there."""

    ANY = "any"


ANY: Final = Anything.ANY


@record
class RefUpdate:
    """One change of a ref.

    Attributes:
        ref: Full name.
        new: What it shall point to; None to delete it.
        old: What it must point to now; None: it must not exist; ANY: never mind.
    """

    ref: str
    new: ObjectName | CommitId | None
    old: ObjectName | CommitId | Anything | None


@record
class NamesOfCommit:
    """The branches and tags that point to a commit, in name order."""

    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def list_refs(repo: GitRepo, *prefixes: str) -> tuple[tuple[str, ObjectName], ...]:
    """Returns (ref, object) in name order.

    Args:
        repo: Where.
        prefixes: Whole refs, or the beginning of refs up to a `/`; all refs when there is none.
    """
    out = repo_git(repo, "for-each-ref", "--format=%(objectname) %(refname)", "--", *prefixes)
    pairs = (line.partition(" ") for line in _decode(out).split("\n") if line)
    return tuple((ref, ObjectName(name)) for name, _, ref in pairs)


def may_have_refs(repo: GitRepo, prefix: str) -> bool:
    """Tells without a process whether there may be a ref, or one below a prefix with `/`; True where only Git knows."""
    # Packing a ref removes its file last: who finds neither has looked at both after that.
    if not repo.plain_refs or os.path.lexists(os.path.join(repo.common_dir, *prefix.split("/"))):
        return True
    try:
        with open(os.path.join(repo.common_dir, "packed-refs"), "rb") as file:
            return b" " + os.fsencode(prefix) in file.read()
    except FileNotFoundError:
        return False


def is_own(repo: GitRepo) -> bool:
    """Tells whether a repository is this user's for sure; Git may refuse to read another's, which is to be found out early."""
    if not hasattr(os, "geteuid") or repo.env.get(_AS_OTHER_USER):
        return False
    return {os.stat(each).st_uid for each in (repo.root, repo.git_dir, repo.common_dir)} == {os.geteuid()}


def resolve_revision(repo: GitRepo, text: str) -> CommitId | None:
    """Returns the commit that a revision (as in gitrevisions(7)) means, None if it means none or is ambiguous."""
    if not text or "\0" in text or "\n" in text:
        return None
    # In `:/text` everything that follows belongs to the text; it finds nothing but commits anyway.
    wanted = text if text.startswith(":/") else text + "^{commit}"
    args = ("rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
    done = finish_git(repo.root, *args, env=repo.env)
    if done.code != 0 and b"dubious ownership" in done.err:
        raise git_error(repo.root, args, done)
    found = done.out.decode(errors="replace").strip()
    return CommitId(found) if done.code == 0 and found and is_hex(found) else None


def update_refs(repo: GitRepo, updates: Sequence[RefUpdate], message: str = "", create_reflog: bool = False) -> None:
    """Carries out all changes or none.

    Args:
        repo: Where.
        updates: The changes; a ref occurs once.
        message: What the reflog shall say, where there is one.
        create_reflog: Make a reflog also where Git makes none of its own accord (outside branches, remotes, notes).

    Raises:
        ConflictError: A ref is not what was expected, or its name collides with another ref's.
        GitError: Git refused for another reason.
    """
    if not updates:
        return
    args = [*_PATIENT, "update-ref", "--stdin", "--no-deref"]
    if message:
        args += ("-m", message)
    if create_reflog:
        args.append("--create-reflog")
    # Without the frame Git would carry out what it has read if we are killed while we write.
    lines = "".join(("start\n", *(_update_line(update, repo.null_id) for update in updates), "commit\n"))
    text = lines.encode(errors="surrogateescape")
    done = _carry_out(repo, args, text)
    if done.code != 0 and _remove_stale_lock(repo, _decode(done.err)):
        done = _carry_out(repo, args, text)
    if done.code == 0:
        return
    reason = _decode(done.err)
    if any(sign in reason for sign in _CONFLICT_SIGNS):
        collides = "; cannot create" in reason
        raise ConflictError(
            "cannot update refs: " + reason.strip().removeprefix("fatal: ").split("\n")[0],
            hint="choose another name" if collides else "another command changed it in the meantime: run yours again",
        )
    raise git_error(repo.root, args, done)


def is_valid_ref(ref: str) -> bool:
    """Tells whether Git allows a full ref name, by the rules of git-check-ref-format(1) of Git 2.39."""
    if "/" not in ref or ref.endswith(".") or ".." in ref or "@{" in ref:
        return False
    if any(c in "~^:?*[\\\x7f" or c <= " " for c in ref):
        return False
    return all(part and part[0] != "." and not part.endswith(".lock") for part in ref.split("/"))


def all_branches(repo: GitRepo) -> tuple[tuple[str, CommitId], ...]:
    """Returns (branch, commit) in name order, without `refs/heads/`."""
    return tuple((ref.removeprefix(BRANCHES), CommitId(name)) for ref, name in list_refs(repo, BRANCHES))


def all_tags(repo: GitRepo) -> tuple[tuple[str, CommitId], ...]:
    """Returns (tag, commit) in name order, without `refs/tags/`; tags of other objects than commits are left out."""
    return tuple((ref.removeprefix(TAGS), name) for ref, name in _peeled(repo, TAGS))


def names_of_commits(repo: GitRepo) -> dict[CommitId, NamesOfCommit]:
    """Returns the branches and tags of every commit that has one."""
    branches: dict[CommitId, list[str]] = {}
    tags: dict[CommitId, list[str]] = {}
    for ref, commit in _peeled(repo, BRANCHES, TAGS):
        names, prefix = (branches, BRANCHES) if ref.startswith(BRANCHES) else (tags, TAGS)
        names.setdefault(commit, []).append(ref.removeprefix(prefix))
    return {
        commit: NamesOfCommit(branches=tuple(branches.get(commit, ())), tags=tuple(tags.get(commit, ())))
        for commit in branches | tags
    }


def commit_history(repo: GitRepo, start: CommitId, n: int | None, *, first_parent: bool = True) -> tuple[CommitId, ...]:
    """Returns a commit and its ancestors, newest first.

    Args:
        repo: Where.
        start: The commit to begin with.
        n: How many at most; None for all.
        first_parent: Follow only the first parent of a merge.
    """
    args = ["rev-list", *(["--first-parent"] if first_parent else []), *([f"--max-count={n}"] if n is not None else [])]
    return tuple(CommitId(line) for line in repo_git(repo, *args, start, "--").decode().split())


# What Git 2.36 to 2.50 says when a ref is not as expected.
_CONFLICT_SIGNS = (
    "but expected",
    "reference already exists",
    "unable to resolve reference",
    "reference is missing",
    "; cannot create",
)


# How long Git waits for others that change the same refs, in milliseconds; by itself 100, too short where many do.
_PATIENT = ("-c", "core.filesRefLockTimeout=3000", "-c", "core.packedRefsTimeout=3000")
_OUR_LOCKS = ("refs/ob/", "refs/exps/")
_STALE_S = 10.0


def _carry_out(repo: GitRepo, args: Sequence[str], text: bytes) -> Finished:
    """Lets Git make its changes undisturbed: not by Ctrl-C, and not by who kills our process group.

    It changes one ref after the other, so one that is stopped in between would leave them half done, and locks behind.
    """
    with undisturbed():
        return finish_git(repo.root, *args, env=repo.env, input=text, manner=Manner())


def _remove_stale_lock(repo: GitRepo, reason: str) -> bool:
    """Removes what a killed Git left in the way of one of our refs; returns whether it did."""
    path = lock_in_the_way(reason)
    if path is None or not repo.plain_refs:
        return False
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(repo.common_dir)).replace(os.sep, "/")
    if not inside.startswith(_OUR_LOCKS):
        return False
    return _remove_if_stale(path)


def _remove_if_stale(path: str) -> bool:
    try:
        if time.time() - os.stat(path).st_mtime < _STALE_S:
            return False
        os.unlink(path)
    except OSError:
        return False
    return True


def _update_line(update: RefUpdate, null_id: str) -> str:
    old = "" if update.old is ANY else f" {update.old or null_id}"
    if update.new is not None:
        return f"update {update.ref} {update.new}{old}\n"
    if update.old is None:
        return f"verify {update.ref} {null_id}\n"
    return f"delete {update.ref}{old}\n"


def _peeled(repo: GitRepo, *prefixes: str) -> tuple[tuple[str, CommitId], ...]:
    """Returns (ref, commit) with annotated tags followed to their commit."""
    form = "%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname)"
    found = []
    for line in _decode(repo_git(repo, "for-each-ref", f"--format={form}", "--", *prefixes)).split("\n"):
        if line:
            kind, name, target_kind, target, ref = line.split(" ", 4)
            if kind == "commit" or target_kind == "commit":
                found.append((ref, CommitId(target or name)))
            elif target_kind == "tag":  # a tag of a tag: Git before 2.45 follows one step only
                commit = resolve_revision(repo, ref)
                found += [(ref, commit)] if commit is not None else []
    return tuple(found)


def _decode(out: bytes) -> str:
    return out.decode("utf-8", "surrogateescape")


def remove_stale_locks(repo: GitRepo) -> None:
    """Removes what killed Gits left beside our own refs; on those that nobody changes again it would stay for ever."""
    if not repo.plain_refs:
        return
    for prefix in _OUR_LOCKS:
        for directory, _, names in os.walk(os.path.join(repo.common_dir, prefix)):
            for name in names:
                if name.endswith(".lock"):
                    _remove_if_stale(os.path.join(directory, name))
