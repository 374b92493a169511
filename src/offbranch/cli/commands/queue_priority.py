"""Changes which tasks are run first: a higher number goes before a lower one, and equals in the order they were queued.

Every task has the priority 0 until it is given another.
"""

from argparse import Namespace

from offbranch.api.queue_change import set_priority
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.queue_text import add_tasks, say_changed, waiting_of
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob queue priority 10 wide", "before everything else"),
    ("ob queue priority -1 'lr-*'", "after everything else"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("priority", type=whole_number, metavar="N", help="the new priority, a whole number")
    add_tasks(parser, "what gets it")
    parser.add_flag("--all", help="everything that waits")
    add_json(parser, "the tasks that have another priority now")


def run(args: Namespace, console: Console) -> int:
    done = set_priority(args.priority, waiting_of(args), session_of(console))
    say_changed(done, args, console, f"Priority {args.priority}")
    return ExitCode.DONE
