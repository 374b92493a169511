"""Waits until tasks have ended, and tells which of them failed and why; the exit code is 0 only if all succeeded.

Without names everything is waited for that 'ob queue status' lists, what is queued meanwhile too; held tasks are left out. So
earlier failures count as well, unless the tasks are named or 'ob queue remove --failed' has cleared them away. A task that is
taken out of the queue while it is waited for by its name has not succeeded.
"""

import json
from argparse import ArgumentTypeError, Namespace

from offbranch.api.queue_look import Waited, queue_wait
from offbranch.base.errors import ExitCode, OffbranchError
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.queue.status import SUCCEEDED

EXAMPLES = (
    ("ob queue wait", "until nothing is queued or running"),
    ("ob queue wait lr-1 lr-2 && ob exp push", "go on only if both have succeeded"),
    ("ob queue wait --timeout 3600", "for an hour at most"),
)
_SHOWN = 5


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "tasks", nargs="*", metavar="task", help="name, id, commit or pattern; all tasks if none is given"
    )
    parser.add_argument("--timeout", type=_seconds, metavar="S", help="give up after S seconds, with exit code 1")
    add_json(parser, "what has become of them")


def run(args: Namespace, console: Console) -> int:
    with console.stdout_for_data(args.json):
        waited = queue_wait(args.tasks, session_of(console), timeout_s=args.timeout)
    if args.json:
        console.data(json.dumps(_data(waited)))
    else:
        _say(waited, console)
    if waited.has_timed_out:
        raise _not_ended(waited, args.timeout)
    return ExitCode.DONE if waited.all_succeeded else ExitCode.FAILED


def _say(waited: Waited, console: Console) -> None:
    ended = [task for task in waited.tasks if task.has_ended or task.problem]
    for line in load("offbranch.views.queue_text:end_lines")(ended):
        console.message(line)
    for name in waited.removed:
        console.message(f"{name}: Removed")
    n_good = sum(task.state == SUCCEEDED for task in ended)
    if n_good:
        console.message(f"{n_good} succeeded.")
    elif not (waited.tasks or waited.removed):
        console.message("No experiment tasks in the queue.")


def _not_ended(waited: Waited, timeout_s: float) -> OffbranchError:
    names = [f"'{task.name}'" for task in waited.tasks if not task.has_ended]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    have = "has" if len(names) == 1 else "have"
    return OffbranchError(f"after {timeout_s:g} s {', '.join(names[:_SHOWN])}{more} {have} not ended")


def _data(waited: Waited) -> dict[str, object]:
    to_json = load("offbranch.views.queue_json:task_to_json")
    return {
        "all_succeeded": waited.all_succeeded,
        "timed_out": waited.has_timed_out,
        "tasks": [to_json(task) for task in waited.tasks],
        "removed": list(waited.removed),
    }


def _seconds(text: str) -> float:
    """Reads a number of seconds of the command line."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ArgumentTypeError(f"expected a number of seconds from 0 up, found '{text}'")
    return seconds
