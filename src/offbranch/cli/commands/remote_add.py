"""Adds a data remote: a place that data can be pushed to and pulled from.

The url is a directory, or e.g. s3://bucket/path, gs://bucket/path, azure://container/path, ssh://host/path,
https://host/path, or remote://NAME/path below another data remote.
"""

from argparse import Namespace

from offbranch.api.remotes import add_remote
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.level_options import add_levels, level_of
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob remote add -d store /mnt/store", "a directory, and the default one"),
    ("ob remote add backup s3://bucket/project", "a bucket"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("name", help="what to call it")
    parser.add_argument("url", help="where it is; a relative path counts from the current directory")
    add_levels(parser, "change")
    parser.add_flag("-d", "--default", help="make it the default one")
    parser.add_flag("-f", "--force", help="replace one of the same name, with all its options")


def run(args: Namespace, console: Console) -> int:
    added = add_remote(
        args.name, args.url, session_of(console), default=args.default, force=args.force, level=level_of(args)
    )
    if args.default:
        console.message(f"Setting '{added.name}' as a default remote.")
    return ExitCode.DONE
