"""Makes data writable that is a link into the cache: each file becomes one of its own.

Only needed with hard or symbolic links (cache.type), before data is changed in place.
"""

import json
from argparse import Namespace

from offbranch.api.data_unprotect import unprotect
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob unprotect data/raw.csv", "before editing it"),)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="+", metavar="path", help="file, directory, or a .dvc file for its data")
    add_json(parser, "the paths")


def run(args: Namespace, console: Console) -> int:
    paths = unprotect(args.targets, session_of(console))
    if args.json:
        console.data(json.dumps(list(paths)))
    return ExitCode.DONE
