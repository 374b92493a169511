"""Removes a data remote from the configuration; if it was the default one, there is none then.

The data there stays.
"""

from argparse import Namespace

from offbranch.api.remotes import remove_remote
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.level_options import add_levels, level_of
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob remote remove backup", "from .dvc/config"),)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("name", help="the data remote")
    add_levels(parser, "change")


def run(args: Namespace, console: Console) -> int:
    remove_remote(args.name, session_of(console), level=level_of(args))
    return ExitCode.DONE
