"""Draws plots of the workspace: those that dvc.yaml defines, or any file with data or an image.

The page needs no network: scripts and images are inside. A file is CSV, TSV, JSON or YAML with a list of points, or an
image (.png, .jpg, .gif, .svg).
"""

from argparse import Namespace

from offbranch.api.plots import plots_show
from offbranch.cli.console import Console
from offbranch.cli.options import add_targets
from offbranch.cli.parser import Parser
from offbranch.cli.plot_options import add_drawing_options, add_output_options, read_request, show_plots
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob plots show", "everything that dvc.yaml lists, as a page"),
    ("ob plots show log.csv -x step -y loss --text", "one curve, in the terminal"),
    ("ob plots show --png -o figures", "images for a report"),
    ("ob plots show classes.csv -t confusion -x actual -y predicted", "a confusion matrix"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "file, directory, name of a plot, or dvc.yaml file; all plots if not given")
    add_drawing_options(parser)
    add_output_options(parser)


def run(args: Namespace, console: Console) -> int:
    session = session_of(console)
    plots = plots_show(read_request(args, args.targets), session)
    return show_plots(plots, args, session, console)
