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


def show_in_pager(text: str, console: Console, *, wanted: bool = True, n_sentences: int = 0) -> None:
    """Prints a text, through the user's pager if it does not fit the terminal; its last lines are sentences, which may wrap."""
    command = console.environment.pager or "less"
    if not wanted or command == "cat" or fits(text, console, n_sentences=n_sentences):
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


def fits(text: str, console: Console, *, n_sentences: int = 0) -> bool:
    """Tells whether a text fits the terminal without scrolling; of its last lines only the number counts that they wrap to."""
    try:
        columns, lines = os.get_terminal_size(console.out.fileno())
    except (OSError, ValueError):
        return True
    rows = _CODES.sub("", text).splitlines()
    stiff, sentences = rows[: len(rows) - n_sentences], rows[len(rows) - n_sentences :]
    n_rows = len(stiff) + sum(-(-len(row) // columns) or 1 for row in sentences)
    return n_rows < lines and max(map(len, stiff), default=0) <= columns
