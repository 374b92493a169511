"""Asks `ob`, in a process of its own, for what needs Git or the cache."""

import sys

from offbranch.base.plugins import load
from offbranch.base.records import record


@record
class Done:
    """A program that has ended.

    Attributes:
        code: Exit code, negative for a signal.
        out: What it printed.
        err: What it said, without hints, in one line.
    """

    code: int
    out: str
    err: str


def run_ob(*args: str, cwd: str) -> Done:
    """Runs `ob` of this installation in a directory; it may take as long as hashing and Git take.

    Raises:
        OSError: It cannot be started.
    """
    return run((sys.executable, "-P", "-m", "offbranch", *args), cwd=cwd)


def run(words: tuple[str, ...], *, cwd: str) -> Done:
    """Runs a program in a directory.

    Raises:
        OSError: It cannot be started.
    """
    subprocess = load("subprocess")
    done = subprocess.run(
        words, cwd=cwd, capture_output=True, stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace", check=False
    )
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("hint:")]
    return Done(code=done.returncode, out=done.stdout, err=" ".join(said)[:500])
