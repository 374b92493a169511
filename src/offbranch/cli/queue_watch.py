"""`ob queue status --watch`: on a terminal a table that is redrawn where it changes, elsewhere a line for each change.

Ctrl-C is how it is ended, and no failure.
"""

import json
import time
from collections.abc import Iterator, Mapping

from offbranch.api.queue_look import QueueView
from offbranch.cli.console import Console
from offbranch.cli.watching import Waiting, redraw_each, until_ctrl_c
from offbranch.views.queue_json import task_to_json
from offbranch.views.queue_text import status_lines, task_line


def show_changes(
    views: Iterator[QueueView], console: Console, *, as_json: bool, waiting: Waiting | None = None
) -> None:
    """Shows the queue as it changes, until Ctrl-C.

    Args:
        views: What it looks like.
        console: Where to.
        as_json: A line of JSON for each task that has changed.
        waiting: What waits between two views; draws again when the terminal gets another size.
    """
    if console.can_redraw and not as_json:
        drawn = (status_lines(view.status, view.tasks, view.metrics, now_s=time.time()) for view in views)
        redraw_each(drawn, console, waiting)
        return
    with until_ctrl_c():
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
