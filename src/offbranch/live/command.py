"""Asks `ob`, in a process of its own, for what needs Git or the cache."""

import sys
import time

from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.base.records import record

_PATIENCE_S = 60.0


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

    While others work on the project, it is tried again for a minute: programs that train side by side end side by side.

    Raises:
        OSError: It cannot be started.
    """
    until = time.monotonic() + _PATIENCE_S
    while True:
        done = run((sys.executable, "-P", "-m", "offbranch", *args), cwd=cwd)
        if done.code != ExitCode.LOCKED or time.monotonic() > until:
            return done


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
    return Done(code=done.returncode, out=done.stdout, err=" ".join(said).removeprefix("error: ")[:500])
