"""Shows the metrics of the workspace, of commits and of experiments: one row per file, one column per name.

A file that cannot be read is told on stderr and hides nothing else.
"""

from argparse import Namespace

from offbranch.api.params import ValuesRequest, show_metrics
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_recursive, add_targets
from offbranch.cli.parser import Parser
from offbranch.cli.values_output import (
    add_formats,
    add_revision_options,
    check_formats,
    print_values,
    revisions_of,
    tell_problems,
)
from offbranch.experiments.values import Kind
from offbranch.views.values_text import digits_of, values_table, values_to_json

EXAMPLES = (
    ("ob metrics show", "of the workspace"),
    ("ob metrics show -a", "of every branch, too"),
    ("ob metrics show --rev wide eval/scores.json", "one file, of the experiment 'wide' too"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "only this file, or all files of this directory, also if no dvc.yaml names it as metrics")
    add_revision_options(parser, "metrics")
    add_recursive(parser, "a directory stands for everything below it (it does without this, too)")
    parser.add_flag("--lists", help="show lists too; DVC leaves them out")
    add_formats(parser, "the metrics by revision and file")


def run(args: Namespace, console: Console) -> int:
    check_formats(args)
    request = ValuesRequest(
        targets=tuple(args.targets),
        revisions=revisions_of(args),
        lists=args.lists,
    )
    session = Session(start=console.start, environment=console.environment, reporter=console)
    found = show_metrics(request, session)
    digits = digits_of(Kind.METRICS, args.precision)
    print_values(
        args,
        console,
        data=lambda: values_to_json(found),
        table=lambda: values_table(found, digits=digits),
    )
    tell_problems(found, console)
    if not any(each.files or each.error for each in found):
        console.hint("there are no metrics here; outputs of stages become metrics under metrics: in dvc.yaml")
    return ExitCode.DONE
