"""Downloads data from a data remote into the cache; the workspace stays as it is ('ob pull' does both).

Each object is checked against its name as it comes in. If it is interrupted, run it again: what has arrived
is not fetched twice.
"""

from argparse import Namespace

from offbranch.api.transfer import fetch
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.transfer_options import (
    add_selecting_options,
    add_transfer_json,
    add_transfer_options,
    finish,
    scope_of,
    transfer_options_of,
)

EXAMPLES = (
    ("ob fetch", "everything the workspace records"),
    ("ob fetch -a", "of all branches, so that switching needs no network"),
    ("ob fetch data/images/cats", "a part of a directory"),
)


def add_arguments(parser: Parser) -> None:
    add_transfer_options(parser, "fetch")
    add_selecting_options(parser, "fetch")
    add_transfer_json(parser)


def run(args: Namespace, console: Console) -> int:
    return finish(fetch(scope_of(args), session_of(console), transfer_options_of(args)), "fetched", args, console)
