"""Uploads data to a data remote: what .dvc files and dvc.lock name and the remote does not have yet.

Each object is checked against its name before it is sent, and a directory's list is sent after its files. If it
is interrupted, run it again: what has arrived is not sent twice.
"""

from argparse import Namespace

from offbranch.api.transfer import push
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.transfer_options import (
    add_transfer_json,
    add_transfer_options,
    finish,
    scope_of,
    transfer_options_of,
)

EXAMPLES = (
    ("ob push", "everything the workspace records, to the default remote"),
    ("ob push -r backup data/raw.dvc", "one .dvc file, to the remote 'backup'"),
    ("ob push -a --run-cache", "of all branches, and the run-cache"),
)


def add_arguments(parser: Parser) -> None:
    add_transfer_options(parser, "push")
    add_transfer_json(parser)


def run(args: Namespace, console: Console) -> int:
    return finish(push(scope_of(args), session_of(console), transfer_options_of(args)), "pushed", args, console)
