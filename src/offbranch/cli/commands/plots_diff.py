"""Draws plots of several commits, experiments or the workspace, each plot of all of them together.

Without a revision, HEAD and the workspace; with one, that and the workspace. Experiments go by their names, also while
they run. Images are side by side.
"""

from argparse import Namespace

from offbranch.api.plots import plots_diff
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.plot_options import add_drawing_options, add_output_options, read_request, show_plots
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob plots diff", "HEAD and the workspace, as a page"),
    ("ob plots diff wide deep --text", "two experiments, in the terminal"),
    ("ob plots diff main --targets log.csv roc.png", "two files, of a branch and the workspace"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "revisions",
        nargs="*",
        metavar="revision",
        help="commit, experiment, also one that runs or has failed, or 'workspace'",
    )
    parser.add_argument(
        "--targets",
        nargs="*",
        action="extend",
        default=[],
        metavar="target",
        help="only these files, directories, plots or dvc.yaml files",
    )
    parser.add_flag("-e", "--experiment", help="with one experiment: compare it with the commit it started from")
    add_drawing_options(parser)
    add_output_options(parser)


def run(args: Namespace, console: Console) -> int:
    session = session_of(console)
    request = read_request(args, args.targets)
    plots = plots_diff(request, args.revisions, session, with_baseline=args.experiment)
    return show_plots(plots, args, session, console)
