"""Gives an experiment another name; its commit and baseline stay the same."""

from argparse import Namespace

from offbranch.api.exp import rename
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import refuse_later
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob exp rename chewy-okra baseline", "'chewy-okra' is 'baseline' from now on"),)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", help="name or commit")
    parser.add_argument("name", help="its new name")
    parser.add_flag("-f", "--force", help="replace an experiment that has the new name")
    parser.add_argument(
        "-g", "--git-remote", metavar="REMOTE", help="rename on a Git remote (comes in a later version)"
    )


def run(args: Namespace, console: Console) -> int:
    refuse_later(args, (("git_remote", "--git-remote"),), hint="rename it here; it can be pushed under the new name")
    done = rename(args.experiment, args.name, session_of(console), force=args.force)
    if done is None:
        console.message("No experiments to rename: both names are the same.")
    else:
        console.message(f"Experiment '{args.experiment}' is now '{done.name}'.")
    return ExitCode.DONE
