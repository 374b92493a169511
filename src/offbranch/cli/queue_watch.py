"""`ob queue status --watch`: on a terminal a table that is redrawn where it changes, elsewhere a line for each change.

Ctrl-C is how it is ended, and no failure.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from offbranch.api.queue_look import QueueView
from offbranch.cli.console import Console
from offbranch.views.queue_json import task_to_json
from offbranch.views.queue_text import status_lines, task_line

_MIN_LINES = 5
# Of a terminal that does not know its own.
_USUAL_SIZE = (80, 24)


def show_changes(views: Iterator[QueueView], console: Console, *, as_json: bool) -> None:
    """Shows the queue as it changes, until Ctrl-C."""
    try:
        if console.is_interactive and not as_json:
            screen = Screen(console.out)
            for view in views:
                screen.show(status_lines(view.status, view.tasks, view.metrics, now_s=time.time()))
            return
        before: Mapping[str, str] = {}
        for view in views:
            lines = lines_of(view, as_json=as_json)
            for task_id, line in lines.items():
                if line != before.get(task_id):
                    console.data(line)
            for task_id in before.keys() - lines.keys():
                console.data(removed_line(before[task_id], as_json=as_json))
            console.flush()
            before = lines
    except KeyboardInterrupt:
        return


def lines_of(view: QueueView, *, as_json: bool) -> dict[str, str]:
    """Returns a line for each task, by its id."""
    found = {}
    for task in view.tasks:
        metrics = view.metrics.get(task.id, {})
        found[task.id] = json.dumps(task_to_json(task, metrics or None)) if as_json else task_line(task, metrics)
    return found


def removed_line(before: str, *, as_json: bool) -> str:
    """Returns the line for a task that is there no more.

    Args:
        before: Its line, as long as it was there.
        as_json: What kind of line.
    """
    if not as_json:
        return f"{before.partition(': ')[0]}: Removed"
    task = json.loads(before)
    return json.dumps({"id": task["id"], "name": task["name"], "state": "removed"})


class Screen:
    """Lines at the bottom of a terminal, of which only those are written again that have changed; the last ones stay.

    Args:
        out: The terminal.
        size: Gives its columns and lines.
    """

    def __init__(self, out: TextIO, *, size: Any = None) -> None:
        self._out = out
        self._size = size or (lambda: os.get_terminal_size(out.fileno()))
        self._shown: list[str] = []
        self._had: tuple[int, int] = (0, 0)

    def show(self, lines: Sequence[str]) -> None:
        """Replaces what is shown."""
        columns, rows = (given or usual for given, usual in zip(self._size(), _USUAL_SIZE, strict=True))
        fitting = _fitting(lines, columns, rows)
        text = self._begin((columns, rows))
        for n, line in enumerate(fitting):
            if n >= len(self._shown):
                text += f"{line}\n"
            elif line != self._shown[n]:
                text += f"{line}\x1b[K\n"
            else:
                text += "\n"
        if len(self._shown) > len(fitting):
            text += "\x1b[J"
        self._shown = fitting
        self._out.write(text)
        self._out.flush()

    def _begin(self, size: tuple[int, int]) -> str:
        """Returns what moves to the first line; after a change of the size everything is written anew."""
        up = f"\x1b[{len(self._shown)}A\r" if self._shown else ""
        if size != self._had and self._shown:
            self._shown = []
            up += "\x1b[J"
        self._had = size
        return up


def _fitting(lines: Sequence[str], columns: int, rows: int) -> list[str]:
    """Returns what has room: the head, as many lines as fit, how many are left out, and the last two lines."""
    room = max(rows - 1, _MIN_LINES)
    kept = list(lines)
    if len(kept) > room:
        n_left_out = len(kept) - room + 1
        kept = [*kept[: room - 3], f"… and {n_left_out} more", *kept[-2:]]
    return [line if len(line) <= columns else f"{line[: columns - 1]}…" for line in kept]
