"""Lets tasks go that were held: workers take them when it is their turn."""

from argparse import Namespace

from offbranch.api.queue_change import release
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.queue_text import add_tasks, say_changed, waiting_of
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob queue release wide 'lr-*'", "one by name, and all that are called like this"),
    ("ob queue release --all", "everything that is held"),
)


def add_arguments(parser: Parser) -> None:
    add_tasks(parser, "what to release")
    parser.add_flag("--all", help="release everything that is held")
    add_json(parser, "the tasks that were held and are not any more")


def run(args: Namespace, console: Console) -> int:
    done = release(waiting_of(args), session_of(console))
    say_changed(done, args, console, "Released")
    return ExitCode.DONE
