"""Compares the parameters and metrics of two experiments, commits or the workspace."""

import json
from argparse import Namespace

from offbranch.api.show import exp_diff
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_precision, refuse_together
from offbranch.cli.parser import Parser
from offbranch.views.diff_text import diff_to_json, render_diff_markdown, render_diff_text

EXAMPLES = (
    ("ob exp diff", "HEAD and the workspace"),
    ("ob exp diff wide", "the experiment 'wide' and the workspace"),
    ("ob exp diff wide deep --md", "two experiments, for a page"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("a_rev", nargs="?", metavar="old", help="experiment or commit; HEAD if not given")
    parser.add_argument("b_rev", nargs="?", metavar="new", help="the same; the workspace if not given")
    parser.add_flag("--all", help="show what is the same, too")
    parser.add_flag("--param-deps", help="only parameters that a stage depends on")
    add_json(parser, "the differences")
    parser.add_flag("--md", help="print Markdown tables")
    parser.add_flag("--no-path", help="leave out the column of files")
    add_precision(parser)


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "json", "md")
    found = exp_diff(
        args.a_rev,
        args.b_rev,
        all_values=args.all,
        param_deps=args.param_deps,
        start=console.start,
        environment=console.environment,
    )
    if args.json:
        console.data(json.dumps(diff_to_json(found), default=str))
        return ExitCode.DONE
    render = render_diff_markdown if args.md else render_diff_text
    text = render(found, no_path=args.no_path, precision=args.precision)
    console.data(text)
    if not text:
        console.hint(f"no parameter or metric differs between {found.old_name} and {found.new_name}")
    return ExitCode.DONE
