"""Pushes experiments to a Git remote, and their outputs to the data remote.

Outputs go first, and an experiment only if all of its outputs are there, so whoever sees it can have it whole. Git itself
connects: credential helpers, ssh keys and settings count, and it asks on the terminal where it must. An experiment that has
diverged from the one of the same name there stays as it is, unless -f is given, and is a failure; the others are pushed.
Tags and notes go along. If it is interrupted, run it again.
"""

from argparse import Namespace

from offbranch.api.share import push
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.share_options import add_share_options, finish_sharing, share_request_of

EXAMPLES = (
    ("ob exp push origin", "the experiments of HEAD"),
    ("ob exp push origin best 'lr-*'", "one by name, others by a pattern"),
    ("ob exp push -A --no-cache origin", "all of the repository, without outputs"),
)


def add_arguments(parser: Parser) -> None:
    add_share_options(parser, "push")


def run(args: Namespace, console: Console) -> int:
    report = push(share_request_of(args), session_of(console), may_ask=console.can_ask())
    return finish_sharing(report, "push", args, console)
