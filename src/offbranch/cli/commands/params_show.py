"""Shows the parameters of the workspace, of commits and of experiments: one row per file, one column per name.

A file that cannot be read is told on stderr and hides nothing else.
"""

from argparse import Namespace

from offbranch.api.params import ValuesRequest, show_params
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_targets
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
    ("ob params show", "of the workspace"),
    ("ob params show --deps --rev wide", "those that stages depend on, of the experiment 'wide' too"),
    ("ob params show -T --csv", "of every tag, for a spreadsheet"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "only this file, or all files of this directory, also if no dvc.yaml names it as params")
    add_revision_options(parser, "parameters")
    parser.add_flag("--deps", help="only parameters that a stage depends on")
    parser.add_argument(
        "--stage",
        action="append",
        default=[],
        metavar="STAGE",
        help="only parameters that this stage depends on; may be repeated",
    )
    add_formats(parser, "the parameters by revision and file")


def run(args: Namespace, console: Console) -> int:
    check_formats(args)
    request = ValuesRequest(
        targets=tuple(args.targets),
        revisions=revisions_of(args),
        stages=tuple(args.stage),
        deps=args.deps,
    )
    session = Session(start=console.start, environment=console.environment, reporter=console)
    found = show_params(request, session)
    digits = digits_of(Kind.PARAMS, args.precision)
    print_values(
        args,
        console,
        data=lambda: values_to_json(found),
        table=lambda: values_table(found, digits=digits),
    )
    tell_problems(found, console)
    if not any(each.files or each.error for each in found):
        console.hint("there are no parameters here")
    return ExitCode.DONE
