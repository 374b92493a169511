"""Renames data that a .dvc file records, together with that file and the line in .gitignore.

If the destination is a directory, the data is put into it. Outputs of stages cannot be moved: dvc.yaml says where they are.
"""

import json
from argparse import Namespace

from offbranch.api.data_move import move
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob move raw.csv data/raw.csv", "data, data/raw.csv.dvc and .gitignore"),
    ("ob mv images archive/", "into a directory"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("src", help="data that a .dvc file records")
    parser.add_argument("dst", help="its new name, or a directory")
    add_json(parser, "what was moved")


def run(args: Namespace, console: Console) -> int:
    done = move(args.src, args.dst, session_of(console))
    if args.json:
        facts = {"from": done.source, "to": done.target, "file": done.data_file, "files": list(done.files)}
        console.data(json.dumps({**facts, "has_data": done.has_data}))
        return ExitCode.DONE
    console.message(f"Moved '{done.source}' to '{done.target}'.")
    if not done.has_data:
        console.hint(f"only its record: the data is not in the workspace, 'ob checkout {done.target}' brings it")
    say_what_to_track(done.files, console)
    return ExitCode.DONE
