"""Removes stages from dvc.yaml, or .dvc files, so that their data is not tracked any more.

With a stage go its entry in dvc.lock and the lines for its outputs in .gitignore. The data stays where it is, in the
workspace and in the cache; --outs deletes it in the workspace.
"""

import json
from argparse import Namespace

from offbranch.api.stage_remove import remove
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob remove data/raw.dvc", "stop tracking data/raw, and leave it to Git or to nobody"),
    ("ob remove train", "a stage of ./dvc.yaml"),
    ("ob remove --outs sub/dvc.yaml:train", "a stage of another file, with what it made"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="+", metavar="target", help=".dvc file, stage, or a whole dvc.yaml")
    parser.add_flag("--outs", help="delete the outputs in the workspace too")
    parser.add_flag("-f", "--force", help="with --outs: also content that is in no cache")
    add_json(parser, "what was removed")


def run(args: Namespace, console: Console) -> int:
    done = remove(args.targets, session_of(console), outs=args.outs, force=args.force)
    if args.json:
        console.data(json.dumps({"removed": list(done.stages), "files": list(done.files), "outs": list(done.outs)}))
        return ExitCode.DONE
    for address in done.stages:
        console.message(f"Removed '{address}'.")
    for path in done.outs:
        console.message(f"Deleted '{path}'.")
    say_what_to_track(done.files, console)
    return ExitCode.DONE
