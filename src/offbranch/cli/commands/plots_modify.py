"""Changes how a plot of a stage is drawn, in dvc.yaml; everything else in the file stays as it is.

A plot that is defined at the top level of dvc.yaml is edited there.
"""

from argparse import Namespace
from typing import Any

from offbranch.api.plots_modify import modify_plot
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.plot_options import add_drawing_options, drawing_options
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob plots modify log.csv -x step -y loss", "which fields are drawn"),
    ("ob plots modify classes.csv -t confusion -x actual -y predicted", "another template"),
    ("ob plots modify log.csv --unset title", "take an option away"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("target", metavar="target", help="file that a stage lists under 'plots'")
    add_drawing_options(parser)
    parser.add_argument(
        "--unset",
        nargs="*",
        action="extend",
        default=[],
        metavar="option",
        help="take options away: template, x, y, x_label, y_label, title, header",
    )


def run(args: Namespace, console: Console) -> int:
    done = modify_plot(args.target, session_of(console), changes=_changes(args), unset=args.unset)
    if done.is_changed:
        console.message(f"Changed the plot '{args.target}' of stage '{done.stage}' in '{done.file}'.")
    else:
        console.message(f"The plot '{args.target}' of stage '{done.stage}' is so already.")
    return ExitCode.DONE


def _changes(args: Namespace) -> dict[str, Any]:
    changes: dict[str, Any] = {name: value for name in ("x", "y") if (value := getattr(args, name)) is not None}
    changes.update(drawing_options(args))
    return changes | ({"header": False} if args.no_header else {})
