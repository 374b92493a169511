"""Prints where the cache is, or sets it. The cache itself is not moved.

A relative path counts from the current directory, and is written relative to the config file.
"""

import json
from argparse import Namespace

from offbranch.api.config import cache_dir, set_config, unset_config
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.level_options import add_levels, level_of
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob cache dir", "where it is"),
    ("ob cache dir --local /mnt/fast/cache", "on this machine only"),
    ("ob cache dir --unset", "back to .dvc/cache"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("value", nargs="?", metavar="path", help="where the cache shall be")
    add_levels(parser, "read or change")
    parser.add_flag("-u", "--unset", help="remove the setting from the config file")
    add_json(parser, "where it is")


def run(args: Namespace, console: Console) -> int:
    session, level = session_of(console), level_of(args)
    if args.unset:
        if args.value is not None:
            raise UsageError("--unset takes no path", hint="ob cache dir --unset")
        unset_config("cache.dir", session, level=level)
    elif args.value is not None:
        set_config("cache.dir", args.value, session, level=level)
    else:
        path = cache_dir(session, level=level)
        console.data(json.dumps({"path": path}) if args.json else path)
    return ExitCode.DONE
