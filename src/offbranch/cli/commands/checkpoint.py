"""Makes a checkpoint of the running experiment: for the command of a stage, in any language.

The outputs of the stage as they are now become a commit of the experiment: 'ob exp show' lists it, 'ob exp apply NAME@3'
brings it back. It returns as soon as they are safe, and the command can go on to change them. Where the stage is run by
'ob repro', or without checkpoints, it says so and succeeds, so that the command works there too.

Programs in Python need no command: Live.next_step() and offbranch.checkpoint() do the same.
"""

import json
from argparse import Namespace

from offbranch.api.checkpoints import checkpoint
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob checkpoint", "in a shell script that trains"),
    ("ob checkpoint --step 10", "with the step that it belongs to"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--step", type=whole_number, metavar="N", help="step of the training that it belongs to")
    add_json(parser, "its number in the chain of the experiment, null if none was made")


def run(args: Namespace, console: Console) -> int:
    number = checkpoint(session_of(console), step=args.step)
    if args.json:
        console.data(json.dumps({"number": number}))
    if number is None:
        console.hint("no checkpoint: only 'ob exp run' makes them, unless they are off")
    elif not args.json:
        console.message(f"checkpoint {number}", level=1)
    return ExitCode.DONE
