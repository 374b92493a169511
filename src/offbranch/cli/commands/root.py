"""Prints where the project begins, relative to the current directory."""

import os
from argparse import Namespace

from offbranch.api.project import root
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob root", "'.' at the top of the project, '../..' two directories below"),)


def add_arguments(parser: Parser) -> None:
    del parser


def run(args: Namespace, console: Console) -> int:
    del args
    console.data(os.path.relpath(root(session_of(console)), console.start))
    return ExitCode.DONE
