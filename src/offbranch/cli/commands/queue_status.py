"""Shows the tasks of the queue: those that run, wait, are held, have failed and have succeeded; and the workers.

What is shown is true at that moment, also after a worker was killed or the machine was restarted: a task runs only as
long as somebody carries it out. With --watch the table is kept up to date, with the metrics of running tasks, until Ctrl-C;
where it does not go to a terminal, each change is one line (with --json one JSON object, `"state": "removed"` for a task
that is gone). Of a shared queue the Git remote is asked first what has happened on other machines.
"""

import json
import time
from argparse import Namespace

from offbranch.api.queue_look import queue_status, watch_queue
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob queue status", "everything, and what failed why"),
    ("ob queue status 'lr-*'", "only these"),
    ("ob queue status --watch", "kept up to date, with metrics, until Ctrl-C"),
    ("ob queue status --json", "for a program"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "tasks", nargs="*", metavar="task", help="name, id, commit or pattern; all tasks if none is given"
    )
    parser.add_flag("-w", "--watch", help="show it again whenever it changes, until Ctrl-C")
    parser.add_flag("--offline", help="of a shared queue: do not ask, show what is known here")
    add_json(parser, "everything")


def run(args: Namespace, console: Console) -> int:
    if args.watch:
        waiting = load("offbranch.cli.watching:Waiting")(console)
        views = watch_queue(args.tasks, session_of(console), is_offline=args.offline, sleep=waiting)
        load("offbranch.cli.queue_watch:show_changes")(views, console, as_json=args.json, waiting=waiting)
        return ExitCode.DONE
    with console.stdout_for_data(args.json):
        view = queue_status(args.tasks, session_of(console), in_full=args.json, is_offline=args.offline)
    if args.json:
        console.data(
            json.dumps(load("offbranch.views.queue_json:status_to_json")(view.status, view.tasks, view.metrics))
        )
        return ExitCode.DONE
    lines = load("offbranch.views.queue_text:status_lines")(view.status, view.tasks, view.metrics, now_s=time.time())
    console.data("".join(f"{line}\n" for line in lines))
    return ExitCode.DONE
