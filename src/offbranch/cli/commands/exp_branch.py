"""Makes an ordinary Git branch of an experiment. Does not switch to it."""

import json
import shlex
from argparse import Namespace

from offbranch.api.exp_keep import branch
from offbranch.base.errors import ExitCode
from offbranch.base.records import as_dict
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob exp branch wide", "makes the branch 'wide-branch'"),
    ("ob exp branch wide try-wide", "with a name of your own"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", help="name, commit, or id of a failed attempt")
    parser.add_argument("branch", nargs="?", help="name of the branch; EXPERIMENT-branch if not given")
    add_json(parser, "name and commit of the branch")


def run(args: Namespace, console: Console) -> int:
    made = branch(args.experiment, session_of(console), branch_name=args.branch)
    if args.json:
        console.data(json.dumps(as_dict(made)))
        return ExitCode.DONE
    console.message(f"Git branch '{made.branch}' has been created from experiment '{made.experiment}'.")
    console.message(f"To switch to the new branch run:\n\n\tgit switch {shlex.quote(made.branch)}\n")
    return ExitCode.DONE
