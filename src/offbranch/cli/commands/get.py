"""Copies a file or directory of a repository, data or Git's, without a record of where it came from. No project is needed.

'ob import' does the same with a record.
"""

import json
from argparse import Namespace

from offbranch.api.getting import get, url_of
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, refuse_together
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.source_options import add_jobs, add_repository, source_of_args

EXAMPLES = (
    ("ob get https://example.org/team/data.git images", "the directory 'images' of a project"),
    ("ob get ../data model.bin --show-url", "where its data remote has it"),
)


def add_arguments(parser: Parser) -> None:
    add_repository(parser, "copy")
    parser.add_flag("--show-url", help="only print where the data remote has it")
    add_jobs(parser)
    parser.add_flag("-f", "--force", help="replace what is at the place")
    add_json(parser, "what was copied")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "show_url", "json")
    source, session = source_of_args(args), session_of(console)
    if args.show_url:
        console.data(url_of(source, args.path, session))
        return ExitCode.DONE
    got = get(source, args.path, session, out=args.out, force=args.force, jobs=args.jobs)
    if args.json:
        console.data(json.dumps({"path": got.path, "md5": got.content.id, "size": got.content.size}))
    return ExitCode.DONE
