"""Gives a data remote another name, also where it is named as the default one."""

from argparse import Namespace

from offbranch.api.remotes import rename_remote
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.level_options import add_levels, level_of
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob remote rename store archive", "in .dvc/config"),)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("name", help="the data remote")
    parser.add_argument("new", help="its new name")
    add_levels(parser, "change")


def run(args: Namespace, console: Console) -> int:
    rename_remote(args.name, args.new, session_of(console), level=level_of(args))
    return ExitCode.DONE
