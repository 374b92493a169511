"""Compares the parameters of two commits or experiments, or of one and the workspace."""

from argparse import Namespace

from offbranch.api.params import ValuesDiffRequest, diff_params
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
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
    ("ob params diff", "HEAD and the workspace"),
    ("ob params diff wide deep", "two experiments"),
    ("ob params diff v1 --targets params.yaml config.py --all", "all values of two files"),
)


def add_arguments(parser: Parser) -> None:
    add_diff_revisions(parser)
    add_diff_options(parser, "params")
    parser.add_flag("--deps", help="only parameters that a stage depends on")
    parser.add_flag("--lists", help="in JSON, lists as lists; DVC writes them as text")
    add_formats(parser, "the differences")


def run(args: Namespace, console: Console) -> int:
    check_formats(args)
    request = ValuesDiffRequest(
        old=args.a_rev,
        new=args.b_rev,
        targets=tuple(args.targets),
        deps=args.deps,
        all_values=args.all,
        lists=args.lists,
    )
    session = Session(start=console.start, environment=console.environment, reporter=console)
    print_diff(args, console, diff_params(request, session), Kind.PARAMS)
    return ExitCode.DONE
