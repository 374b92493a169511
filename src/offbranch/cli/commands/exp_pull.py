"""Pulls experiments from a Git remote, and their outputs from the data remote into the cache. The workspace stays as it is.

Git itself connects: credential helpers, ssh keys and settings count, and it asks on the terminal where it must. An experiment
that has diverged from the one of the same name here stays as it is, unless -f is given, and is a failure; the others are
pulled. Tags and notes come along. If it is interrupted, run it again: it completes what is missing.
"""

from argparse import Namespace

from offbranch.api.share import pull
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.share_options import add_share_options, finish_sharing, share_request_of

EXAMPLES = (
    ("ob exp pull origin", "the experiments of HEAD"),
    ("ob exp pull origin best", "one by name"),
    ("ob exp pull -A --no-cache origin", "all that are there, without outputs"),
)


def add_arguments(parser: Parser) -> None:
    add_share_options(parser, "pull")


def run(args: Namespace, console: Console) -> int:
    report = pull(share_request_of(args), session_of(console), may_ask=console.can_ask())
    return finish_sharing(report, "pull", args, console)
