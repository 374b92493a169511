"""Draws the metrics of runs as curves in the terminal while they are logged: of the workspace, of copies, of queued ones.

Without names everything that runs is drawn, or else the workspace as it is. It ends when nothing of that runs any more. What
has ended can be named too: experiments, checkpoints such as `big@3`, any revision. Where it does not go to a terminal, each
change is a line for each metric (with --json one JSON object with the new points).
"""

import json
import os
from argparse import Namespace
from collections.abc import Iterator

from offbranch.api.live_look import follow_live, live_view
from offbranch.base.errors import ExitCode, NotFoundError
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.screen import Screen
from offbranch.cli.sessions import session_of
from offbranch.views.live_series import LiveRun, plots_of_runs

EXAMPLES = (
    ("ob live", "everything that runs now"),
    ("ob live loss", "one metric; 'train' means all of train/…"),
    ("ob live big small loss", "two experiments, running or not"),
    ("ob live --once --json", "all curves, for a program"),
)
_USUAL_WIDTH = 80


def add_arguments(parser: Parser) -> None:
    parser.add_argument("words", nargs="*", metavar="name", help="experiment, revision, 'workspace', or metric")
    parser.add_flag("--once", help="draw it once and end")
    add_json(parser, "the points")


def run(args: Namespace, console: Console) -> int:
    session = session_of(console)
    if args.once:
        view = live_view(args.words, session)
        if args.json:
            console.data(json.dumps({"runs": [_points(run, {}) for run in view.runs]}))
        elif any(run.series for run in view.runs):
            console.data(_drawn(view.runs, console))
        else:
            raise NotFoundError(
                "nothing has logged a metric here",
                hint="from offbranch import Live; or name an experiment: ob live NAME",
            )
        return ExitCode.DONE
    views = (view.runs for view in follow_live(args.words, session))
    try:
        if console.is_interactive and not args.json:
            screen = Screen(console.out)
            for runs in views:
                screen.show(_drawn(runs, console).splitlines() or ["nothing is logged yet"])
        else:
            _print_changes(views, console, as_json=args.json)
    except KeyboardInterrupt:
        pass
    return ExitCode.DONE


def _drawn(runs: tuple[LiveRun, ...], console: Console) -> str:
    try:
        width = os.get_terminal_size(console.out.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        width = _USUAL_WIDTH
    draw = load("offbranch.views.plot_text:render_plots_text")
    text: str = draw(plots_of_runs(runs), width=width, color=console.has_color(console.out))
    return text


def _print_changes(views: Iterator[tuple[LiveRun, ...]], console: Console, *, as_json: bool) -> None:
    known: dict[tuple[str, str], int] = {}
    for runs in views:
        if as_json:
            console.data(json.dumps({"runs": [_points(run, known) for run in runs]}))
        else:
            for run in runs:
                for name, series in run.series.items():
                    if series.steps and known.get((run.name, name)) != len(series.steps):
                        console.data(
                            f"{run.name} ({run.state}): {name} {series.values[-1]:g} at step {series.steps[-1]:g}"
                        )
        known = {(run.name, name): len(series.steps) for run in runs for name, series in run.series.items()}
        console.flush()


def _points(run: LiveRun, known: dict[tuple[str, str], int]) -> dict[str, object]:
    """Returns a run with the points that are new: `start` says how many came before; 0 means that all are given."""
    series = {}
    for name, each in run.series.items():
        start = known.get((run.name, name), 0)
        start = start if start <= len(each.steps) else 0
        series[name] = {"start": start, "steps": each.steps[start:], "values": each.values[start:]}
    return {"name": run.name, "state": run.state, "n_checkpoints": run.checkpoints, "series": series}
