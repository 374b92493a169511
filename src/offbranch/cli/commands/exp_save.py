"""Saves the workspace as an experiment, without running anything.

Everything that Git tracks is saved as it is now, and the present content of all outputs is recorded. Untracked
files are left out unless -I names them. The workspace stays as it is.
"""

import json
import shlex
from argparse import Namespace

from offbranch.api.exp_keep import save
from offbranch.base.errors import ExitCode
from offbranch.base.paths import RepoPath
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_recursive, add_targets
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.experiments.save import SaveRequest

EXAMPLES = (
    ("ob exp save -n by-hand", "everything as it is now"),
    ("ob exp save -I notes.txt", "with an untracked file"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "record the outputs of these stages and .dvc files only; all if not given")
    add_recursive(parser)
    parser.add_flag("-f", "--force", help="replace an experiment of this name")
    parser.add_argument(
        "-n", "--name", metavar="NAME", help="name of the experiment; a new one is made up if not given"
    )
    parser.add_argument(
        "-I",
        "--include-untracked",
        action="append",
        default=[],
        metavar="PATH",
        help="an untracked or ignored path to save too; may be repeated",
    )
    parser.add_argument("-m", "--message", metavar="TEXT", help="commit message of the experiment")
    add_json(parser, "name, commit and baseline of the experiment")


def run(args: Namespace, console: Console) -> int:
    request = SaveRequest(
        name=args.name,
        force=args.force,
        targets=tuple(args.targets),
        recursive=args.recursive,
        include=tuple(map(RepoPath, args.include_untracked)),
        message=args.message,
    )
    with console.stdout_for_data(args.json):
        made = save(request, session_of(console))
    if args.json:
        console.data(json.dumps({"ref": made.commit, "name": made.name, "rev": made.commit, "baseline": made.baseline}))
        return ExitCode.DONE
    console.message(f"Experiment has been saved as: {made.name}")
    name = shlex.quote(made.name)
    console.hint(f"to make a Git branch of it: ob exp branch {name}; to bring it back: ob exp apply {name}")
    return ExitCode.DONE
