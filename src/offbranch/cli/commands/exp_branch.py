"""Makes an ordinary Git branch of an experiment. Does not switch to it."""

from argparse import Namespace

from offbranch.api.exp import branch
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob exp branch wide", "makes the branch 'wide-branch'"),
    ("ob exp branch wide try-wide", "with a name of your own"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", help="name or commit")
    parser.add_argument("branch", nargs="?", help="name of the branch; EXPERIMENT-branch if not given")


def run(args: Namespace, console: Console) -> int:
    name = branch(args.experiment, session_of(console), branch_name=args.branch)
    console.message(f"Git branch '{name}' has been created from experiment '{args.experiment}'.")
    console.message(f"To switch to the new branch run:\n\n\tgit switch {name}\n")
    return ExitCode.DONE
