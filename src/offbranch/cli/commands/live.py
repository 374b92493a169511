"""Draws the metrics of runs as curves in the terminal while they are logged: of the workspace, of copies, of queued ones.

Without names everything that runs is drawn, or else the workspace as it is. It ends when nothing of that runs, or waits in the
queue, any more; until then Ctrl-C ends it. What has ended can be named too: experiments, checkpoints such as `big@3`, any
revision. Where it does not go to a terminal, each change is a line for each metric (with --json one JSON object with the new
points).
"""

import json
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping

from offbranch.api.live_look import LiveView, follow_live, live_view, nothing_logged
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.screen import Screen
from offbranch.cli.sessions import session_of
from offbranch.cli.watching import Waiting, until_ctrl_c
from offbranch.views.live_series import LiveRun, Series

EXAMPLES = (
    ("ob live", "everything that runs now"),
    ("ob live loss", "one metric; 'train' means all of train/…"),
    ("ob live big small loss", "two experiments, running or not"),
    ("ob live --once --json", "all curves, for a program"),
)
_USUAL_SIZE = (80, 24)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("words", nargs="*", metavar="name", help="experiment, revision, 'workspace', or metric")
    parser.add_flag("--once", help="draw it once and end")
    add_json(parser, "the points")


def run(args: Namespace, console: Console) -> int:
    session = session_of(console)
    if args.once:
        view = live_view(args.words, session)
        if args.json:
            console.data(json.dumps(_as_json(view, {})))
        elif any(run.series for run in view.runs):
            console.data(_drawn(view, console))
        elif view.waiting:
            console.data(_waiting(view))
        else:
            raise nothing_logged()
        return ExitCode.DONE
    waiting = Waiting(console)
    views = follow_live(args.words, session, sleep=waiting)
    with until_ctrl_c():
        if console.can_redraw and not args.json:
            _redraw(views, console, waiting)
        else:
            _print_changes(views, console, as_json=args.json)
    return ExitCode.DONE


def _redraw(views: Iterator[LiveView], console: Console, waiting: Waiting) -> None:
    screen = Screen(console.out)
    with until_ctrl_c(screen.end):
        for view in views:

            def redraw(view: LiveView = view) -> None:
                screen.show(_drawn(view, console, is_screen=True).splitlines())

            waiting.redraw = redraw
            redraw()


def _drawn(view: LiveView, console: Console, *, is_screen: bool = False) -> str:
    try:
        size = os.get_terminal_size(console.out.fileno())
        width, rows = size.columns or _USUAL_SIZE[0], size.lines or _USUAL_SIZE[1]
    except (OSError, ValueError):
        width, rows = _USUAL_SIZE
    below = _waiting(view) if view.waiting else ""
    room = rows - 1 - bool(below) if is_screen else None
    draw = load("offbranch.views.live_text:render_live")
    text: str = draw(view.runs, width=width, rows=room, color=console.has_color(console.out))
    return f"{text}{below}\n" if below else text or "nothing is logged yet\n"


def _waiting(view: LiveView) -> str:
    text: str = load("offbranch.views.live_text:waiting_line")(view.waiting, has_workers=view.has_workers)
    return text


@record
class _Told:
    """What was said of a curve: of which one, and how many of its points."""

    series: Series
    n: int
    newest: str | None


_Known = Mapping[tuple[str, str], _Told]


def _print_changes(views: Iterator[LiveView], console: Console, *, as_json: bool) -> None:
    known: _Known = {}
    told = ""
    for view in views:
        if as_json:
            console.data(json.dumps(_as_json(view, known)))
        else:
            for run in view.runs:
                for name, series in run.series.items():
                    before = known.get((run.name, name))
                    if series.newest and (
                        before is None or (before.n, before.newest) != (len(series.steps), series.newest)
                    ):
                        console.data(f"{run.name} ({run.state}): {name} {series.newest}")
            if view.waiting and (waiting := _waiting(view)) != told:
                told = waiting
                console.hint(waiting)
        known = {
            (run.name, name): _Told(series=each, n=len(each.steps), newest=each.newest)
            for run in view.runs
            for name, each in run.series.items()
        }
        console.flush()


def _as_json(view: LiveView, known: _Known) -> dict[str, object]:
    return {"runs": [_points(run, known) for run in view.runs], "waiting": list(view.waiting)}


def _points(run: LiveRun, known: _Known) -> dict[str, object]:
    """Returns a run with the points that are new: `start` says how many came before; 0 means that all are given."""
    series = {}
    for name, each in run.series.items():
        start = _n_known(each, known.get((run.name, name)))
        odd = each.not_a_number
        series[name] = {
            "start": start,
            "steps": each.steps[start:],
            "values": each.values[start:],
            "not_a_number": {"step": odd[0][0], "value": odd[0][1]} if odd else None,
        }
    return {"name": run.name, "state": run.state, "n_checkpoints": run.checkpoints, "series": series}


def _n_known(series: Series, told: _Told | None) -> int:
    """Returns how many points of a curve were given before; 0 if some of those are different now."""
    if told is None:
        return 0
    n, before = told.n, told.series
    is_same = before is series or (before.steps[:n], before.values[:n]) == (series.steps[:n], series.values[:n])
    return n if is_same else 0
