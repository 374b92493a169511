"""Lists the templates of plots, or prints one as JSON, to make one of your own from it.

A template of the project is a file .dvc/plots/NAME.json.
"""

import json
from argparse import Namespace

from offbranch.api.plots import plot_template, plot_templates
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob plots templates", "their names"),
    ("ob plots templates simple > .dvc/plots/mine.json", "one to start from"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("template", nargs="?", metavar="name", help="print this one")
    add_json(parser, "the names")


def run(args: Namespace, console: Console) -> int:
    session = session_of(console)
    if args.template is not None:
        console.data(json.dumps(plot_template(args.template, session), indent=2))
        return ExitCode.DONE
    names = plot_templates(session)
    console.data(json.dumps(names) if args.json else "".join(f"{name}\n" for name in names))
    return ExitCode.DONE
