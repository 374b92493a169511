"""What `ob plots show` and `ob plots diff` share: options, and what is done with plots that were collected."""

import os
from argparse import Namespace
from typing import Any

from offbranch.api.plots import (
    PlotRequest,
    opens_itself,
    out_directory,
    write_images,
    write_page,
    write_pictures,
)
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode, OffbranchError, UsageError
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_precision, refuse_together
from offbranch.cli.parser import Parser
from offbranch.views.plot import Plots
from offbranch.views.plot_anchors import fill
from offbranch.views.plot_json import dumps, plots_to_json

_FORMATS = ("json", "show_vega", "text", "svg", "png")
_DEFAULT_WIDTH = 80
_DEFAULT_PRECISION = 5


def add_drawing_options(parser: Parser) -> None:
    """Adds the options that say how a plot is drawn; `plots modify` has the same."""
    parser.add_argument("-t", "--template", metavar="NAME", help="template: a name, or the path of a file")
    parser.add_argument("-x", "--x", metavar="FIELD", help="field for the horizontal axis")
    parser.add_argument("-y", "--y", metavar="FIELD", help="field for the vertical axis")
    parser.add_flag("--no-header", help="the first row of a CSV or TSV file holds values; its fields are 0, 1, ...")
    parser.add_argument("--title", metavar="TEXT", help="text above the plot")
    parser.add_argument("--x-label", metavar="TEXT", help="text at the horizontal axis")
    parser.add_argument("--y-label", metavar="TEXT", help="text at the vertical axis")


def add_output_options(parser: Parser) -> None:
    """Adds the options that say what comes of plots."""
    parser.add_argument("-o", "--out", metavar="DIR", help="write into DIR (dvc_plots, or plots.out_dir, if not given)")
    parser.add_flag("--text", help="draw in the terminal instead of a page")
    parser.add_flag("--svg", help="write each plot as an SVG image instead of a page")
    parser.add_flag("--png", help="write each plot as a PNG image instead of a page")
    parser.add_flag("--show-vega", help="print the Vega specification of the one target")
    add_json(parser, "all plots with their data, in the structure of DVC,")
    parser.add_flag(
        "--split", help="with --json: leave the places for data in the specifications, and say what belongs there"
    )
    parser.add_flag("--open", help="open the page in a browser (as plots.auto_open does)")
    parser.add_argument("--html-template", metavar="PATH", help="page to put the plots in, at its {plot_divs}")
    add_precision(parser)


def read_request(args: Namespace, targets: list[str]) -> PlotRequest:
    """Returns what to draw.

    Raises:
        UsageError: Options exclude each other.
    """
    refuse_together(args, *_FORMATS)
    if args.split and not args.json:
        raise UsageError("--split says how --json prints", hint="ob plots show --json --split")
    if args.show_vega and len(targets) != 1:
        raise UsageError(
            f"--show-vega prints one plot, and {len(targets) or 'no'} targets are given", hint="name the one plot"
        )
    return PlotRequest(
        targets=tuple(targets),
        x=args.x,
        y=args.y,
        header=False if args.no_header else None,
        options=drawing_options(args),
    )


def drawing_options(args: Namespace) -> dict[str, str]:
    """Returns the options of a plot that are texts, as far as given."""
    names = ("template", "title", "x_label", "y_label")
    return {name: value for name in names if (value := getattr(args, name)) is not None}


def show_plots(plots: Plots, args: Namespace, session: Session, console: Console) -> int:
    """Prints plots or writes them, as the options say; returns the exit code.

    What could not be drawn is named; where something is wrong with a file or a definition, the command has failed.
    """
    for error in plots.errors:
        line = load("offbranch.views.plot_html:error_line")(error)
        console.warn(line, error.hint)
    code = ExitCode.FAILED if any(error.is_mistake for error in plots.errors) else ExitCode.DONE
    if args.show_vega:
        console.data(dumps(_only_spec(plots)))
    elif args.json:
        urls = write_pictures(plots, out_directory(args.out, session)) if plots.pictures else {}
        console.data(dumps(plots_to_json(plots, urls, is_split=args.split)))
    elif not plots.specs and not plots.pictures:
        console.message("No plots to show.")
        if not plots.names:
            console.hint("list files under 'plots' in dvc.yaml, or name them: ob plots show FILE")
    elif args.text:
        console.data(_text(plots, args, console))
    elif args.svg or args.png:
        kind = "svg" if args.svg else "png"
        paths, failures = write_images(plots, out_directory(args.out, session), kind, session)
        for path in paths:
            console.data(path)
        for failure in failures:
            console.warn(failure.message, failure.hint)
            code = ExitCode.FAILED
    else:
        _page(plots, args, session, console)
    return code


def _only_spec(plots: Plots) -> dict[str, Any]:
    if len(plots.specs) != 1:
        found = ", ".join(f"'{spec.id}'" for spec in plots.specs) or "none that is drawn from data"
        raise OffbranchError(
            f"--show-vega prints one plot, and the target stands for {found}", hint="name one file or plot"
        )
    spec = plots.specs[0]
    return fill(plots.templates[spec.template], spec)


def _text(plots: Plots, args: Namespace, console: Console) -> str:
    try:
        width = os.get_terminal_size(console.out.fileno()).columns
    except (OSError, ValueError):
        width = _DEFAULT_WIDTH
    digits = _DEFAULT_PRECISION if args.precision is None else args.precision
    render = load("offbranch.views.plot_text:render_plots_text")
    return str(render(plots, width=width, color=console.has_color(console.out), precision=digits))


def _page(plots: Plots, args: Namespace, session: Session, console: Console) -> None:
    path = write_page(plots, out_directory(args.out, session), session, page=args.html_template)
    url = load("pathlib:Path")(path).as_uri()
    console.data(url)
    if (args.open or opens_itself(session)) and not load("webbrowser:open")(url):
        console.warn("there is no browser to open the page with")
