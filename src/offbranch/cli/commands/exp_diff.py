"""Compares two experiments, commits or the workspace: parameters and metrics, and what else is asked for.

--code shows Git's own unified diff of everything under version control, less lock files, parameters, metrics and outputs,
which are told in one line each; attributes and text conversions of Git apply. --env shows what is known of how the
two came about: commit, run, commands, and the packages that requirement and lock files ask for.
"""

import json
import os
from argparse import Namespace

from offbranch.api.show import exp_diff
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_precision, refuse_together
from offbranch.cli.pager import show_in_pager
from offbranch.cli.parser import Parser
from offbranch.experiments.diff_record import DiffOptions
from offbranch.views.diff_text import diff_to_json, render_diff_markdown, render_diff_text

EXAMPLES = (
    ("ob exp diff", "HEAD and the workspace"),
    ("ob exp diff wide", "the experiment 'wide' and the workspace"),
    ("ob exp diff wide deep --code", "two experiments, with what is different in the code"),
    ("ob exp diff wide deep --full --md", "everything, for a page"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "a_rev", nargs="?", metavar="old", help="experiment, commit or failed attempt; HEAD if not given"
    )
    parser.add_argument("b_rev", nargs="?", metavar="new", help="the same; the workspace if not given")
    parser.add_flag("--all", help="show what is the same, too")
    parser.add_flag("--param-deps", help="only parameters that a stage depends on")
    parser.add_flag("--deps", help="dependencies too: hash, size and number of files")
    parser.add_flag("--outs", help="outputs too")
    parser.add_flag("--code", help="what is different in the code, as a unified diff")
    parser.add_flag("--stat", help="with --code: only how many lines of which files")
    parser.add_flag("--env", help="what is known of how each came about")
    parser.add_flag("--full", help="all of --deps, --outs, --env and --code")
    add_json(parser, "the differences")
    parser.add_flag("--md", help="print Markdown tables")
    parser.add_flag("--no-path", help="leave out the column of files")
    add_precision(parser)
    parser.add_flag("--no-pager", help="do not use a pager for a long diff")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "json", "md")
    has_code = args.code or args.full
    if args.stat and not has_code:
        raise UsageError("--stat is about the code", hint="ob exp diff --code --stat")
    is_plain = args.json or args.md or not console.is_interactive
    options = DiffOptions(
        all_values=args.all,
        param_deps=args.param_deps,
        deps=args.deps or args.full,
        outs=args.outs or args.full,
        environment=args.env or args.full,
        code=has_code,
        color=not is_plain and console.has_color(console.out),
        stat_width=None if not args.stat else 0 if is_plain else _width(console),
    )
    found = exp_diff(args.a_rev, args.b_rev, options=options, start=console.start, environment=console.environment)
    if args.json:
        console.data(json.dumps(diff_to_json(found), default=str))
        return ExitCode.DONE
    render = render_diff_markdown if args.md else render_diff_text
    text = render(found, no_path=args.no_path, precision=args.precision)
    if has_code and not is_plain:
        show_in_pager(text, console, wanted=not args.no_pager)
    else:
        console.data(text)
    if found.is_empty:
        what = "nothing that was asked for" if found.code is not None else "no parameter or metric"
        console.hint(f"{what} differs between {found.old_name} and {found.new_name}")
    return ExitCode.DONE


def _width(console: Console) -> int:
    try:
        return os.get_terminal_size(console.out.fileno()).columns
    except (OSError, ValueError):
        return 0
