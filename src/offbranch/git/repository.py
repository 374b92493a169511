"""Finds the repository a directory belongs to and reads where HEAD is, mostly without starting a process.

`GitRepo` is a record of places, not a service. What is read from the files of the repository directly (the `.git` link,
HEAD, one branch) follows gitrepository-layout(5) of Git 2.39; anything out of the ordinary is left to `git rev-parse`.
"""

import os
from collections.abc import Mapping

from offbranch.base.errors import GitError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.git.command import clean_environment, finish_git, git_error, run_git
from offbranch.git.ids import CommitId, ObjectName, is_hex


@record
class GitRepo:
    """A repository with a work tree.

    Attributes:
        root: Top of the work tree, with symbolic links resolved.
        git_dir: Where HEAD and the index of this work tree are.
        common_dir: Where objects and branches are; differs from `git_dir` in a linked work tree.
        env: The cleaned environment every Git command gets.
        hash_name: `sha1` or `sha256`.
        plain_refs: Refs are files and `packed-refs` (not the reftable format).
    """

    root: AbsPath
    git_dir: AbsPath
    common_dir: AbsPath
    env: Mapping[str, str]
    hash_name: str = "sha1"
    plain_refs: bool = True

    # The environment is neither shown nor compared: it may hold secrets, and does not say which repository this is.
    def __repr__(self) -> str:
        return f"GitRepo({self.root!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GitRepo) and self.git_dir == other.git_dir

    def __hash__(self) -> int:
        return hash(self.git_dir)

    @property
    def null_id(self) -> ObjectName:
        """The id that means "no object" in a transaction of refs."""
        return ObjectName("0" * (64 if self.hash_name == "sha256" else 40))


def find_repo(start: AbsPath, env: Mapping[str, str]) -> GitRepo | None:
    """Returns the repository whose work tree holds a directory, as Git would find it from there.

    Args:
        start: A directory, or a file, that need not be the top.
        env: The user's whole environment; variables that point Git elsewhere are not obeyed.

    Returns:
        None outside a repository, inside a `.git` directory, and in a bare repository.
    """
    here = os.path.realpath(start)
    ceilings = {os.path.realpath(c) for c in env.get("GIT_CEILING_DIRECTORIES", "").split(os.pathsep) if c}
    while True:
        git_dir = _git_dir_at(here)
        if git_dir is not None:
            return _open(here, git_dir, start, env)
        if _is_git_dir(here):
            return None
        parent = os.path.dirname(here)
        if parent == here or parent in ceilings:
            return None
        here = parent


def open_bare(path: AbsPath, env: Mapping[str, str]) -> GitRepo | None:
    """Returns the bare repository at a path, its `root` being the Git directory itself; None if there is none."""
    place = AbsPath(os.path.realpath(path))
    return _repo_of(place, place, place, _read_format(place), env) if _is_git_dir(place) else None


def repo_git(
    repo: GitRepo,
    *args: str,
    input: bytes | None = None,
    ok: tuple[int, ...] = (0,),
    index: AbsPath | None = None,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Runs a Git command at the top of the work tree.

    Args:
        repo: Where.
        args: Command and arguments.
        input: Standard input.
        ok: Exit codes that are no failure.
        index: Index file to use in place of the user's.
        env: Variables to add.

    Raises:
        GitError: Git ended with another exit code.
    """
    return run_git(repo.root, *args, env=repo_env(repo, index=index, env=env), input=input, ok=ok)


def repo_env(repo: GitRepo, *, index: AbsPath | None = None, env: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Returns the environment of one Git command."""
    if index is None and env is None:
        return repo.env
    extra = dict(env or {})
    if index is not None:
        extra["GIT_INDEX_FILE"] = index
    return {**repo.env, **extra}


def head_commit(repo: GitRepo) -> CommitId:
    """Returns the commit that HEAD stands on.

    Raises:
        GitError: There is no commit yet, or HEAD cannot be read.
    """
    found = _read_head_directly(repo) if repo.plain_refs else None
    if found is not None:
        return found
    args = ("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    done = finish_git(repo.root, *args, env=repo.env)
    if done.code == 0:
        return CommitId(done.out.decode().strip())
    if done.code == 1 and not done.err.strip():
        raise GitError(
            "the Git repository has no commit yet", hint="git commit --allow-empty -m 'first commit' makes one"
        )
    raise git_error(repo.root, args, done)


def current_branch(repo: GitRepo) -> str | None:
    """Returns the branch that HEAD is on, without `refs/heads/`, also when it has no commit; None when detached."""
    text = _read_plain(repo.git_dir, "HEAD") if repo.plain_refs else None
    if text is None:
        done = finish_git(repo.root, "symbolic-ref", "--quiet", "HEAD", env=repo.env)
        if done.code not in (0, 1):
            raise git_error(repo.root, ("symbolic-ref",), done)
        text = "ref: " + os.fsdecode(done.out) if done.code == 0 else ""
    ref = text.removeprefix("ref:").strip() if text.startswith("ref:") else ""
    return ref.removeprefix("refs/heads/") or None


def operation_in_progress(repo: GitRepo) -> str | None:
    """Returns what the user has begun and not ended, None if nothing.

    Returns:
        `rebase`, `am`, `merge`, `cherry-pick`, `revert` or `bisect`.
    """
    exists = {name for name in os.listdir(repo.git_dir) if name in _MARKS or name == "rebase-apply"}
    if "rebase-apply" in exists:
        applying = os.path.join(repo.git_dir, "rebase-apply", "applying")
        return "am" if os.path.exists(applying) else "rebase"
    return next((operation for name, operation in _MARKS.items() if name in exists), None)


def has_changes(repo: GitRepo) -> bool:
    """Tells whether a tracked file differs from HEAD, in the index or on disk."""
    return bool(repo_git(repo, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty"))


def is_shallow(repo: GitRepo) -> bool:
    """Tells whether older history was left out of this clone."""
    try:
        return os.stat(os.path.join(repo.common_dir, "shallow")).st_size > 0
    except FileNotFoundError:
        return False


# In order: a rebase that stopped leaves CHERRY_PICK_HEAD too.
_MARKS = {
    "rebase-merge": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


def _git_dir_at(directory: str) -> str | None:
    """Returns the Git directory of a work tree whose top is here."""
    path = os.path.join(directory, ".git")
    try:
        with open(path, "rb") as file:
            content = file.read(8192)
    except IsADirectoryError:
        return path if _is_git_dir(path) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # Windows reports a directory as a permission error
        return path if _is_git_dir(path) else None
    if not content.startswith(b"gitdir:"):
        return None
    target = os.path.normpath(os.path.join(directory, os.fsdecode(content[7:].strip())))
    return target if _is_git_dir(target) else None


def _is_git_dir(path: str) -> bool:
    if not os.path.lexists(os.path.join(path, "HEAD")):
        return False
    if os.path.exists(os.path.join(path, "commondir")):
        return True
    return os.path.isdir(os.path.join(path, "objects")) and os.path.isdir(os.path.join(path, "refs"))


def _open(top: str, git_dir: str, start: AbsPath, env: Mapping[str, str]) -> GitRepo | None:
    common = _read_plain(git_dir, "commondir")
    common_dir = os.path.normpath(os.path.join(git_dir, common.rstrip("\n"))) if common is not None else git_dir
    config = _read_format(common_dir)
    if common is None:
        if config.get("core.bare", "false").lower() in ("true", "yes", "on", "1", ""):
            return None
        if "core.worktree" in config:
            top = os.path.realpath(os.path.join(git_dir, config["core.worktree"]))
            if os.path.commonpath((top, os.path.realpath(start))) != top:
                return None
    return _repo_of(top, git_dir, common_dir, config, env)


def _repo_of(top: str, git_dir: str, common_dir: str, config: Mapping[str, str], env: Mapping[str, str]) -> GitRepo:
    return GitRepo(
        root=AbsPath(top),
        git_dir=AbsPath(git_dir),
        common_dir=AbsPath(common_dir),
        env=clean_environment(env),
        hash_name=config.get("extensions.objectformat", "sha1").lower(),
        plain_refs=config.get("extensions.refstorage", "files").lower() == "files",
    )


def _read_format(common_dir: str) -> dict[str, str]:
    """Returns the settings that say what kind of repository this is; Git too reads them without includes."""
    return settings_in(_read_plain(common_dir, "config") or "", "core", "extensions")


def settings_in(text: str, *sections: str) -> dict[str, str]:
    """Returns what a configuration file itself says in some sections, without what it includes; keys as `core.bare`."""
    settings: dict[str, str] = {}
    section = ""
    for whole in text.splitlines():
        line = whole.strip()
        if line.startswith("["):
            section = line[1:].partition("]")[0].strip().lower()
            line = line.partition("]")[2].strip()
        if section not in sections or not line or line[0] in "#;":
            continue
        key, _, value = line.partition("=")
        settings[f"{section}.{key.strip().lower()}"] = _unquoted(value)
    return settings


def _unquoted(value: str) -> str:
    text = value.strip()
    if text.startswith('"'):
        return text[1:].partition('"')[0].replace("\\\\", "\\")
    for mark in (" #", " ;", "\t#", "\t;"):
        text = text.partition(mark)[0]
    return text.strip()


def _read_head_directly(repo: GitRepo) -> CommitId | None:
    """Returns the commit of HEAD read from files, or None when Git must be asked."""
    text = _read_plain(repo.git_dir, "HEAD")
    if text is None:
        return None
    if not text.startswith("ref:"):
        return _as_commit(repo, text.strip())
    ref = text[4:].strip()
    if not ref.startswith("refs/heads/"):
        return None
    loose = _read_plain(repo.common_dir, ref)
    if loose is not None:
        return _as_commit(repo, loose.strip())
    packed = _read_plain(repo.common_dir, "packed-refs")
    if packed is None:
        return None
    end = packed.find(f" {ref}\n")
    return _as_commit(repo, packed[max(0, end - len(repo.null_id)) : end]) if end > 0 else None


def _as_commit(repo: GitRepo, text: str) -> CommitId | None:
    return CommitId(text) if len(text) == len(repo.null_id) and is_hex(text) else None


def _read_plain(directory: str, name: str) -> str | None:
    path = os.path.join(directory, name)
    try:
        if name == "HEAD" and os.path.islink(path):  # the old form of a symbolic ref
            return None
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
