"""Lets frozen stages and .dvc files go: they run again when what they depend on has changed.

It removes 'frozen: true' from dvc.yaml or the .dvc file; everything else in the file stays, comments included.
"""

from argparse import Namespace

from offbranch.api.freezing import set_frozen
from offbranch.base.errors import ExitCode
from offbranch.cli.commands.freeze import TARGETS_HELP, say_frozen
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob unfreeze prepare", "it runs again when its dependencies have changed"),)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="+", metavar="target", help=TARGETS_HELP)


def run(args: Namespace, console: Console) -> int:
    say_frozen(
        set_frozen(args.targets, session_of(console), frozen=False),
        console,
        now="is not frozen any more",
        before="was not frozen",
    )
    return ExitCode.DONE
