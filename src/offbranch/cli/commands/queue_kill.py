"""Stops tasks that run, and takes them out of the queue. What they left is kept: 'ob exp show' lists it.

The commands of a task get SIGINT, as from Ctrl-C, and 10 seconds to end. 'ob queue retry NAME' queues it again.
"""

import json
from argparse import Namespace

from offbranch.api.queue_ending import kill_tasks
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob queue kill wide", "by name"),
    ("ob queue kill --force wide", "at once, without giving it time to clear up"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("tasks", nargs="+", metavar="task", help="name, id or commit of a running task")
    parser.add_flag("-f", "--force", help="by SIGKILL, at once")
    add_json(parser, "the names of the tasks")


def run(args: Namespace, console: Console) -> int:
    names = kill_tasks(tuple(args.tasks), session_of(console), force=args.force)
    if args.json:
        console.data(json.dumps(list(names)))
        return ExitCode.DONE
    console.message(f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} been killed.")
    return ExitCode.DONE
