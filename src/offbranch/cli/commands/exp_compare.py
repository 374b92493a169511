"""Compares many experiments in one table: a row for each value, a column for each experiment, what differs first.

Parameters, metrics, dependencies, outputs, what is known of how each came about, and files of code by the id of their
content. Without names HEAD and the experiments that started from it are compared; a single name is compared with HEAD.
"""

import json
from argparse import Namespace

from offbranch.api.show import exp_compare
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_precision, refuse_together
from offbranch.cli.pager import show_in_pager
from offbranch.cli.parser import Parser, one_of
from offbranch.experiments.diff_record import SECTIONS, CompareOptions
from offbranch.views.compare_text import (
    comparison_to_json,
    render_comparison,
    render_comparison_csv,
    render_comparison_markdown,
    same_note,
)

EXAMPLES = (
    ("ob exp compare", "HEAD and its experiments"),
    ("ob exp compare wide deep workspace", "two experiments and the workspace"),
    ("ob exp compare wide deep --only params --only metrics --md", "for a page"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "names", nargs="*", metavar="experiment", help="experiment, commit, failed attempt or 'workspace'"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        type=one_of(*SECTIONS),
        metavar="SECTION",
        help=f"only this section ({', '.join(SECTIONS)}); may be repeated",
    )
    parser.add_flag("--all", help="show what is the same in all, too")
    parser.add_flag("--param-deps", help="only parameters that a stage depends on")
    add_json(parser, "the values")
    parser.add_flag("--csv", help="print comma-separated values, numbers in full")
    parser.add_flag("--md", help="print Markdown tables")
    add_precision(parser)
    parser.add_flag("--no-pager", help="do not use a pager for a long table")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "json", "csv", "md")
    sections = tuple(section for section in SECTIONS if not args.only or section in args.only)
    options = CompareOptions(sections=sections, param_deps=args.param_deps)
    found = exp_compare(args.names, options=options, start=console.start, environment=console.environment)
    if args.json:
        console.data(json.dumps(comparison_to_json(found, everything=args.all), default=str))
    elif args.csv:
        console.data(render_comparison_csv(found, everything=args.all))
    elif args.md:
        console.data(render_comparison_markdown(found, everything=args.all, precision=args.precision))
        if not args.all and (note := same_note(found)):
            console.hint(note)
    else:
        bold = console.is_interactive and console.has_color(console.out)
        text = render_comparison(found, everything=args.all, precision=args.precision, bold=bold)
        show_in_pager(text, console, wanted=console.is_interactive and not args.no_pager)
    return ExitCode.DONE
