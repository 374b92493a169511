"""Shows a long or wide text in a pager, when somebody is there to read it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from offbranch.base.plugins import load
from offbranch.cli.console import Console

_CODES = re.compile(r"\x1b\[[0-9;]*m")
# Quit if it fits, keep colours, do not wrap, leave the text on the screen.
_LESS = "FRSX"


def show_in_pager(text: str, console: Console, *, wanted: bool = True) -> None:
    """Prints a text, through the user's pager if it does not fit the terminal."""
    command = console.environment.pager or "less"
    if not wanted or command == "cat" or fits(text, console):
        console.data(text)
        return
    env = {"LESS": _LESS, "LV": "-c", **console.environment.all}
    subprocess = load("subprocess")
    console.flush()
    try:
        with _interrupts_left_to_pager():
            process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=env, text=True, encoding="utf-8")
            process.communicate(text)
    except OSError:
        console.data(text)
        return
    if process.returncode == 127:  # the shell found no such program
        console.data(text)


@contextmanager
def _interrupts_left_to_pager() -> Iterator[None]:
    """Ctrl-C is for the pager, which stays: were we to end before it, it and the shell would both read the terminal."""
    signal = load("signal")
    # A handler, for the pager would inherit it if the signal were ignored.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def fits(text: str, console: Console) -> bool:
    """Tells whether a text fits the terminal without scrolling."""
    try:
        columns, lines = os.get_terminal_size(console.out.fileno())
    except (OSError, ValueError):
        return True
    rows = _CODES.sub("", text).splitlines()
    return len(rows) < lines and max(map(len, rows), default=0) <= columns
