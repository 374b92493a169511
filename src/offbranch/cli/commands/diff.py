"""Compares the data of two Git commits, experiments, or the workspace: which files were added, changed, moved, removed.

Parameters and metrics are compared by 'ob exp diff'.
"""

import json
from argparse import Namespace

from offbranch.api.looking import diff
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, refuse_together
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.views.data_text import diff_to_json, render_data_diff, render_data_diff_markdown

EXAMPLES = (
    ("ob diff", "HEAD and the workspace"),
    ("ob diff HEAD~1 HEAD", "two commits"),
    ("ob diff main wide --targets data", "one directory of a branch and of the experiment 'wide'"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("a_rev", nargs="?", metavar="old", help="commit or experiment; HEAD if not given")
    parser.add_argument("b_rev", nargs="?", metavar="new", help="the same; the workspace if not given")
    parser.add_argument(
        "--targets", nargs="*", action="extend", default=[], metavar="path", help="only these paths of data"
    )
    add_json(parser, "the differences")
    parser.add_flag("--show-hash", help="show the hashes as well")
    parser.add_flag("--md", help="print a Markdown table")
    parser.add_flag("--hide-missing", help="leave out what is not in the cache")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "json", "md")
    found = diff(args.a_rev, args.b_rev, session_of(console), targets=args.targets)
    missing = found.not_in_cache
    if args.json:
        document = diff_to_json(found.changes, missing, show_hash=args.show_hash, hide_missing=args.hide_missing)
        console.data(json.dumps(document))
    else:
        missing = None if args.hide_missing else missing
        render = render_data_diff_markdown if args.md else render_data_diff
        console.data(render(found.changes, missing, show_hash=args.show_hash))
    return ExitCode.DONE
