"""What the four commands that show and compare parameters and metrics have in common: options, and how results are printed."""

import json
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import Any

from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_precision, refuse_together
from offbranch.cli.parser import Parser
from offbranch.experiments.values import Kind, RevisionValues
from offbranch.experiments.values_revisions import Revisions, ValuesDiff
from offbranch.views.values_text import (
    ValuesTable,
    changes_to_json,
    diff_table,
    digits_of,
    problems_of,
    render_values_csv,
    render_values_markdown,
    render_values_text,
)


def add_revision_options(parser: Parser, what: str) -> None:
    """Adds the options that choose revisions to show."""
    parser.add_flag("-a", "--all-branches", help=f"show the {what} of all branches")
    parser.add_flag("-T", "--all-tags", help=f"show the {what} of all tags")
    parser.add_flag("-A", "--all-commits", help=f"show the {what} of all commits")
    parser.add_argument(
        "--rev",
        action="append",
        default=[],
        metavar="REV",
        help=f"show the {what} of a commit or experiment; may be repeated",
    )


def revisions_of(args: Namespace) -> Revisions:
    """Returns the chosen revisions."""
    return Revisions(
        revs=tuple(args.rev),
        all_branches=args.all_branches,
        all_tags=args.all_tags,
        all_commits=args.all_commits,
    )


def add_diff_revisions(parser: Parser) -> None:
    """Adds the two revisions that are compared."""
    parser.add_argument("a_rev", nargs="?", metavar="old", help="experiment or commit; HEAD if not given")
    parser.add_argument("b_rev", nargs="?", metavar="new", help="the same; the workspace if not given")


def add_diff_options(parser: Parser, what: str) -> None:
    """Adds what is compared and how it is shown."""
    parser.add_argument(
        "--targets",
        nargs="*",
        default=[],
        metavar="PATH",
        help=f"only these files, and directories for all files in them, also if no dvc.yaml names them as {what}",
    )
    parser.add_flag("--all", help="show what is the same, too")
    parser.add_flag("--no-path", help="leave out the column of files")


def add_formats(parser: Parser, what: str) -> None:
    """Adds the forms a result is printed in."""
    add_json(parser, what)
    parser.add_flag("--md", help="print a Markdown table")
    parser.add_flag("--csv", help="print comma-separated values, numbers in full")
    add_precision(parser)


def check_formats(args: Namespace) -> None:
    """Makes sure that one form is asked for at most; `--json` outweighs `--md`, as in DVC.

    Raises:
        UsageError: Two are.
    """
    refuse_together(args, "json", "csv")
    refuse_together(args, "md", "csv")


def print_values(
    args: Namespace, console: Console, *, data: Callable[[], Any], table: Callable[[], ValuesTable]
) -> None:
    """Prints a result in the form that is asked for."""
    if args.json:
        console.data(json.dumps(data(), default=str))
        return
    render = render_values_markdown if args.md else render_values_csv if args.csv else render_values_text
    console.data(render(table()))


def tell_problems(revisions: Iterable[RevisionValues], console: Console) -> None:
    """Says on stderr what could not be read; the rest has been printed."""
    for text in dict.fromkeys(text for each in revisions for text in problems_of(each)):
        console.warn(text)


def print_diff(args: Namespace, console: Console, found: ValuesDiff, kind: Kind) -> None:
    """Prints how two revisions differ, and says what could not be read."""
    digits = digits_of(kind, args.precision)
    print_values(
        args,
        console,
        data=lambda: changes_to_json(found.changes),
        table=lambda: diff_table(found, kind, digits=digits, no_path=args.no_path),
    )
    tell_problems((found.old, found.new), console)
    if not found.changes:
        what = {Kind.METRICS: "metric", Kind.PARAMS: "parameter"}[kind]
        console.hint(f"no {what} differs between {found.old.name} and {found.new.name}")
