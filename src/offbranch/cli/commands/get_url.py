"""Copies a file or directory from a url, without a record of where it came from. No project is needed.

'ob import-url' does the same with a record.
"""

import json
from argparse import Namespace

from offbranch.api.getting import get_url
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.source_options import add_fs_config, add_jobs
from offbranch.experiments.import_url import split_options

EXAMPLES = (("ob get-url s3://bucket/images data", "a directory of S3"),)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("url", metavar="url", help="where the data is")
    parser.add_argument("out", nargs="?", metavar="path", help="the place here; its name if not given")
    add_jobs(parser)
    parser.add_flag("-f", "--force", help="replace what is at the place")
    add_fs_config(parser)
    add_json(parser, "what was copied")


def run(args: Namespace, console: Console) -> int:
    options = split_options(tuple(args.fs_config))
    got = get_url(args.url, session_of(console), out=args.out, options=options, force=args.force, jobs=args.jobs)
    if args.json:
        console.data(json.dumps({"path": got.path, "md5": got.content.id, "size": got.content.size}))
    return ExitCode.DONE
