"""Runs `git …` with a cleaned environment and turns its failures into `GitError`.

No hook ever runs, paths given to Git are taken literally, and nothing is read from the terminal's input, unless the caller
says that Git may ask. The environment comes from the caller; variables that would point Git at another repository or index
are dropped.
"""

import os
import re
from collections.abc import Mapping, Sequence

from offbranch.base.errors import GitError
from offbranch.base.paths import AbsPath
from offbranch.git.spawn import Finished, Manner, run_to_end

MINIMUM_VERSION = (2, 36)

# What `git rev-parse --local-env-vars` prints, less the variables that carry configuration, and what changes how
# paths are understood.
_DROPPED = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG",
        "GIT_OBJECT_DIRECTORY",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_GRAFT_FILE",
        "GIT_INDEX_FILE",
        "GIT_INDEX_VERSION",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_REPLACE_REF_BASE",
        "GIT_PREFIX",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
        "GIT_QUARANTINE_PATH",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
        "LANGUAGE",
    }
)
# A run of ours is not an act of the user on a branch: commit, checkout and ref hooks stay out of it.
_ALWAYS = ("-c", f"core.hooksPath={os.devnull}")


def clean_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment to give to Git: the user's, less what points elsewhere; messages in English."""
    cleaned = {name: value for name, value in env.items() if name not in _DROPPED}
    cleaned["LC_ALL"] = "C"
    # Otherwise a reading command may rewrite the user's index to refresh it.
    cleaned["GIT_OPTIONAL_LOCKS"] = "0"
    cleaned["GIT_LITERAL_PATHSPECS"] = "1"
    return cleaned


def git_argv(cwd: AbsPath, args: Sequence[str]) -> list[str]:
    """Returns the whole command line of a Git command run in a directory."""
    return ["git", "-C", cwd, *_ALWAYS, *args]


def run_git(
    cwd: AbsPath,
    *args: str,
    env: Mapping[str, str],
    input: bytes | None = None,
    ok: tuple[int, ...] = (0,),
) -> bytes:
    """Runs a Git command and returns its standard output.

    Args:
        cwd: Directory to run it in.
        args: Command and arguments.
        env: The whole environment; see `clean_environment`.
        input: Standard input; empty when None.
        ok: Exit codes that are no failure.

    Raises:
        GitError: Git ended with another exit code, or is not installed.
    """
    done = finish_git(cwd, *args, env=env, input=input)
    if done.code not in ok:
        raise git_error(cwd, args, done)
    return done.out


def finish_git(
    cwd: AbsPath, *args: str, env: Mapping[str, str], input: bytes | None = None, manner: Manner | None = None
) -> Finished:
    """Runs a Git command whose failure the caller understands."""
    try:
        return run_to_end(git_argv(cwd, args), env, input, manner)
    except OSError as error:
        raise _not_started(cwd, error) from error


def git_error(cwd: AbsPath, args: Sequence[str], done: Finished) -> GitError:
    """Returns the error for a Git command that failed: its own reason, and the way out where we know it."""
    verb = next((arg for arg in args if not arg.startswith("-") and "=" not in arg), "git")
    text = done.err.decode(errors="replace")
    reason = _last_words(text) or (f"ended by signal {-done.code}" if done.code < 0 else f"exit code {done.code}")
    return GitError(f"'git {verb}' failed: {reason}", hint=_hint(text, cwd, args, done.code))


def lock_in_the_way(err: str) -> str | None:
    """Returns the lock file that Git names where another Git has it, or left it when it was killed."""
    found = re.search(r"Unable to create '([^']*\.lock)': File exists", err)
    return None if found is None else found[1]


def git_version(cwd: AbsPath, env: Mapping[str, str]) -> tuple[int, ...]:
    """Returns the version of the Git program as numbers."""
    words = run_git(cwd, "--version", env=env).decode().split()
    numbers = []
    for part in words[2].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _last_words(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines
    return telling[-1].removeprefix("fatal: ").removeprefix("error: ").rstrip(".") if telling else ""


def _hint(err: str, cwd: AbsPath, args: Sequence[str], code: int) -> str:
    if "dubious ownership" in err or "unsafe repository" in err:
        return f"if you trust it: git config --global --add safe.directory '{cwd}'"
    if (lock := lock_in_the_way(err)) is not None:
        left = f"rm '{os.path.join(cwd, lock)}'"
        return f"another Git command is at work here, or was killed and left this lock; once none is: {left}"
    if code == 129:
        return "Git {}.{} or newer is needed; see 'git --version'".format(*MINIMUM_VERSION)
    return f"the command was: git {' '.join(args)}"


def _not_started(cwd: AbsPath, error: OSError) -> GitError:
    if isinstance(error, FileNotFoundError):
        return GitError("cannot run 'git': not found on PATH", hint="install Git 2.36 or newer")
    return GitError(f"cannot run 'git' in '{cwd}': {error.strerror}", hint="see that Git runs here: git --version")
