"""Records the present content of data and outputs in dvc.lock and .dvc files, without running anything.

For when you changed a file by hand, or ran 'ob repro --no-commit'. If a command or a dependency of the stage
changed too, it asks for -f: the outputs may not belong to them.
"""

import json
from argparse import Namespace

from offbranch.api.outputs import commit
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.options import add_json, add_recursive, add_targets, add_with_deps
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob commit", "everything that changed"),
    ("ob commit -f train", "the outputs of 'train', although its code changed"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "stage, .dvc file or output; everything if not given")
    parser.add_flag("-f", "--force", help="also if commands or dependencies changed")
    add_with_deps(parser)
    add_recursive(parser)
    parser.add_flag("--no-relink", help="leave the files as they are, no links into the cache")
    add_json(parser, "the files that were written")


def run(args: Namespace, console: Console) -> int:
    written = commit(
        args.targets,
        session_of(console),
        force=args.force,
        with_deps=args.with_deps,
        recursive=args.recursive,
        relink=not args.no_relink,
    )
    if args.json:
        console.data(json.dumps(list(written)))
    elif not written:
        console.message("Nothing to record: data and outputs are as dvc.lock and .dvc files say.")
    else:
        say_what_to_track(written, console)
    return ExitCode.DONE
