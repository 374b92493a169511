"""A private index: a file of our own that Git commands use in place of the user's, removed in any case.

It lies in the Git directory of the work tree, because a split index looks for its other half there.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from offbranch.base.errors import GitError
from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath, GitPath
from offbranch.git.command import finish_git, git_error
from offbranch.git.ids import ObjectName
from offbranch.git.repository import GitRepo, repo_env

_DIRECTORY = "offbranch"
_PREFIX = "index-"
_REFUSED = b"Ignoring path "
# A command that was killed leaves its index; none of ours takes this long.
_ABANDONED_AFTER_S = 24 * 3600


@contextmanager
def private_index(repo: GitRepo, *, from_user: bool = False) -> Iterator[tuple[AbsPath, bool]]:
    """Gives the path of a private index and whether it has content.

    Args:
        repo: Whose Git directory it is made in.
        from_user: Start from a copy of the user's index, where there is one; otherwise from nothing.
    """
    directory = os.path.join(repo.git_dir, _DIRECTORY)
    os.makedirs(directory, exist_ok=True)
    _sweep(directory)
    path = AbsPath(os.path.join(directory, f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"))
    try:
        yield path, from_user and _copy_index(os.path.join(repo.git_dir, "index"), path)
    finally:
        remove_file(path)
        remove_file(AbsPath(path + ".lock"))


def put_entries(repo: GitRepo, index: AbsPath, entries: Mapping[GitPath, tuple[int, ObjectName] | None]) -> None:
    """Sets (mode, id) of paths in a private index, or removes them (None).

    Raises:
        GitError: A path is one that no tree may have: it leads outside, or into `.git`.
    """
    # What is removed makes room for a file or a directory of the same name, so it goes first.
    ordered = sorted(entries.items(), key=lambda item: item[1] is not None)
    lines = []
    for path, entry in ordered:
        mode, name = entry if entry is not None else (0, repo.null_id)
        lines.append(b"%06o %s\t%s\0" % (mode, name.encode(), os.fsencode(path)))
    args = ("update-index", "--add", "--replace", "-z", "--index-info")
    done = finish_git(repo.root, *args, env=repo_env(repo, index=index), input=b"".join(lines))
    if done.code != 0:
        raise git_error(repo.root, args, done)
    if _REFUSED in done.err:  # Git only mentions it and goes on
        refused = os.fsdecode(done.err.partition(_REFUSED)[2].partition(b"\n")[0])
        raise GitError(
            f"cannot use the path '{refused}': Git allows no such path in a tree", hint="choose another path"
        )


def _copy_index(source: str, target: str) -> bool:
    try:
        with open(source, "rb") as file:
            content = file.read()
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        return False
    with open(target, "wb") as file:
        file.write(content)
    # Git trusts a file's time stamp only when it is older than the index. With a newer one on the copy, a file that was
    # changed in the very moment after `git add` would count as unchanged.
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    return True


def _sweep(directory: str) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and _age_s(entry) > _ABANDONED_AFTER_S:
                remove_file(AbsPath(entry.path))


def _age_s(entry: os.DirEntry[str]) -> float:
    try:
        # Change time, not modification time: the latter is copied from the user's index.
        return time.time() - entry.stat().st_ctime
    except FileNotFoundError:  # its command has just ended
        return 0.0
