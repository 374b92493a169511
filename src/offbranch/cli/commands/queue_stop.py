"""Lets the workers end: each finishes what it runs and takes nothing new. What waits in the queue stays there.

With --kill what runs is stopped too, and leaves the queue; 'ob queue retry' queues it again.
"""

import json
from argparse import Namespace

from offbranch.api.queue_ending import stop_workers
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob queue stop", "when what runs has ended"),
    ("ob queue stop --kill", "now"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_flag("--kill", help="stop what runs, too")
    add_json(parser, "the workers that end")


def run(args: Namespace, console: Console) -> int:
    workers = stop_workers(session_of(console), kill=args.kill)
    if args.json:
        console.data(json.dumps([worker.id for worker in workers]))
    elif not workers:
        console.message("No queue workers are running.")
    elif args.kill:
        console.message("Queue workers have been stopped.")
    else:
        console.message("Queue workers will stop after running tasks finish.")
    return ExitCode.DONE
