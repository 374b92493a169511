"""Prints which data remote is the default one, or makes one so.

Without a default one 'ob push' and 'ob pull' need -r.
"""

import json
from argparse import Namespace

from offbranch.api.remotes import default_remote, set_default_remote
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.level_options import add_levels, level_of
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob remote default", "which one it is"),
    ("ob remote default store", "make it 'store'"),
    ("ob remote default --unset", "none any more"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("name", nargs="?", help="the data remote")
    add_levels(parser, "read or change")
    parser.add_flag("-u", "--unset", help="let there be no default one")
    add_json(parser, "its name")


def run(args: Namespace, console: Console) -> int:
    session, level = session_of(console), level_of(args)
    if args.unset and args.name is not None:
        raise UsageError("--unset takes no name", hint="ob remote default --unset")
    if args.unset or args.name is not None:
        set_default_remote(args.name, session, level=level)
        return ExitCode.DONE
    name = default_remote(session, level=level)
    if args.json:
        console.data(json.dumps({"name": name}))
    elif name is None:
        console.message("No default remote set")
    else:
        console.data(name)
    return ExitCode.DONE if name is not None else ExitCode.FAILED
