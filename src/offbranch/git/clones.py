"""Repositories of others: a Git url opened as a `GitRepo`, through a bare copy in the user's directory for derived data.

The copy holds all branches and tags, is made once and brought up to date when asked; it may be deleted at any time. Git
itself connects, so its credential helpers, ssh keys and settings count. Names and passwords of a url are neither stored
nor shown.
"""

import hashlib
import os
import re
from collections.abc import Mapping

from offbranch.base.errors import GitError, UsageError
from offbranch.base.files import TEMPORARY_PREFIX, remove_tree
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath
from offbranch.git.command import clean_environment, finish_git, run_git
from offbranch.git.repository import GitRepo, find_repo, open_bare
from offbranch.git.spawn import Finished

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s']*@")
_SCP_LIKE = re.compile(r"^(?:[^/:\s]+@)?[^/:\s]{2,}:(?!//)")  # host:path; one letter is a drive of Windows
_WAIT_S = 600.0


def is_git_url(text: str) -> bool:
    """Tells whether a text is a url (or host:path) rather than a path of this machine."""
    return "://" in text or _SCP_LIKE.match(text) is not None


def local_path_of(url: str, *, base: AbsPath) -> AbsPath | None:
    """Returns the directory of this machine that a path or a file:// url names; None for what is elsewhere."""
    if url.startswith("file://"):
        return AbsPath(os.path.realpath(url.removeprefix("file://")))
    if is_git_url(url) and not os.path.isdir(os.path.join(base, url)):
        return None
    return AbsPath(os.path.realpath(os.path.join(base, os.path.expanduser(url))))


def open_git_url(url: str, *, base: AbsPath, cache_dir: AbsPath, env: Mapping[str, str], fetch: bool = True) -> GitRepo:
    """Opens a repository by its url: one of this machine as it is, any other through a copy.

    Args:
        url: A path, or a url that `git clone` takes.
        base: Directory that a relative path is seen from.
        cache_dir: The user's directory for derived data.
        env: The user's whole environment.
        fetch: Bring an existing copy up to date first.

    Raises:
        GitError: There is no such repository, or it cannot be reached.
        UsageError: The url looks like an option of Git.
    """
    path = local_path_of(url, base=base)
    if path is not None:
        repo = find_repo(path, env) or open_bare(path, env)
        if repo is None:
            raise GitError(f"'{url}' is not a Git repository", hint="give the path or url of one")
        return repo
    return open_clone(url, cache_dir=cache_dir, env=env, fetch=fetch)


def open_clone(url: str, *, cache_dir: AbsPath, env: Mapping[str, str], fetch: bool = True) -> GitRepo:
    """Opens the copy of a repository, made first if there is none; raises as `open_git_url`.

    Two processes may ask at once: the second one waits. If interrupted, there is the old copy or none.
    """
    if url.startswith("-"):
        raise UsageError(f"'{url}' is not a url", hint="give the path or url of a Git repository")
    place = clone_place(url, cache_dir)
    clean = {**clean_environment(env), "GIT_TERMINAL_PROMPT": "0"}
    with hold_lock(AbsPath(f"{place}.lock"), wait_s=_WAIT_S):
        repo = open_bare(place, env)
        if repo is None:
            _make(url, place, clean)
        elif fetch:
            _fetch(url, place, clean)
        repo = repo or open_bare(place, env)
    if repo is None:
        raise GitError(f"the copy of '{without_credentials(url)}' in '{place}' is damaged", hint="delete it")
    return repo


def clone_place(url: str, cache_dir: AbsPath) -> AbsPath:
    """Returns where the copy of a repository is, or would be."""
    name = hashlib.sha256(without_credentials(url).rstrip("/").encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return AbsPath(os.path.join(cache_dir, "clones", name))


def without_credentials(text: str) -> str:
    """Returns text with the name and password of every url in it left out."""
    return _CREDENTIALS.sub("", text)


def _make(url: str, place: AbsPath, env: Mapping[str, str]) -> None:
    above, name = os.path.split(place)
    temporary = AbsPath(os.path.join(above, f"{TEMPORARY_PREFIX}{name}-{os.getpid()}"))
    remove_tree(place)
    remove_tree(temporary)
    try:
        run_git(AbsPath(above), "init", "--quiet", "--bare", temporary, env=env)
        _fetch(url, temporary, env)
        os.replace(temporary, place)
    except BaseException:
        remove_tree(temporary)
        raise


def _fetch(url: str, place: AbsPath, env: Mapping[str, str]) -> None:
    # The url is given each time: a configured one would keep the password that may be in it.
    _run(url, place, env, "fetch", "--quiet", "--prune", "--force", "--no-auto-gc", "--", url, "+refs/*:refs/*")
    out = _run(url, place, env, "ls-remote", "--symref", "--", url, "HEAD").out.decode(errors="replace")
    for line in out.splitlines():
        if line.startswith("ref: refs/heads/"):
            run_git(place, "symbolic-ref", "HEAD", line[5:].partition("\t")[0], env=env)


def _run(url: str, place: AbsPath, env: Mapping[str, str], *args: str) -> Finished:
    done = finish_git(place, *args, env=env)
    if done.code == 0:
        return done
    words = [line.strip() for line in done.err.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in words if line.startswith(("fatal: ", "error: ", "ERROR: "))] or words
    reason = without_credentials(telling[0].partition(": ")[2] or telling[0]) if telling else f"exit code {done.code}"
    shown = without_credentials(url)
    raise GitError(
        f"cannot reach the Git repository '{shown}': {reason}", hint=f"see whether Git can: git ls-remote '{shown}'"
    )
