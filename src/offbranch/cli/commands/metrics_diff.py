"""Compares the metrics of two commits or experiments, or of one and the workspace."""

from argparse import Namespace

from offbranch.api.params import ValuesDiffRequest, diff_metrics
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_recursive
from offbranch.cli.parser import Parser
from offbranch.cli.values_output import (
    add_diff_options,
    add_diff_revisions,
    add_formats,
    check_formats,
    print_diff,
)
from offbranch.experiments.values import Kind

EXAMPLES = (
    ("ob metrics diff", "HEAD and the workspace"),
    ("ob metrics diff main wide", "a branch and the experiment 'wide'"),
    ("ob metrics diff --md --precision 3", "for a page"),
)


def add_arguments(parser: Parser) -> None:
    add_diff_revisions(parser)
    add_diff_options(parser, "metrics")
    add_recursive(parser, "a directory stands for everything below it (it does without this, too)")
    parser.add_flag("--lists", help="compare lists too; DVC leaves them out")
    add_formats(parser, "the differences")


def run(args: Namespace, console: Console) -> int:
    check_formats(args)
    request = ValuesDiffRequest(
        old=args.a_rev,
        new=args.b_rev,
        targets=tuple(args.targets),
        all_values=args.all,
        lists=args.lists,
    )
    session = Session(start=console.start, environment=console.environment, reporter=console)
    print_diff(args, console, diff_metrics(request, session), Kind.METRICS)
    return ExitCode.DONE
