"""Holds tasks: they stay in the queue, and no worker takes them until they are released."""

from argparse import Namespace

from offbranch.api.queue_change import hold
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.queue_text import add_tasks, say_changed, waiting_of
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob queue hold wide 'lr-*'", "one by name, and all that are called like this"),
    ("ob queue hold --all", "everything that waits; what runs goes on"),
)


def add_arguments(parser: Parser) -> None:
    add_tasks(parser, "what to hold")
    parser.add_flag("--all", help="hold everything that waits")
    add_json(parser, "the tasks that are held now and were not before")


def run(args: Namespace, console: Console) -> int:
    done = hold(waiting_of(args), session_of(console))
    say_changed(done, args, console, "Held")
    return ExitCode.DONE
