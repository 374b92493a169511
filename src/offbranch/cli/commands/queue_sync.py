"""Exchanges tasks and results with a shared queue: what was queued here goes to the Git remote; tasks of others come here,
and what has come of all tasks.

Experiments come without their outputs: 'ob exp pull' brings those. Failed attempts come with their logs. With --watch it
goes on until nothing is left in the queue.
"""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from offbranch.api.queue_remote import sync
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.queue.remote.report import SyncReport

EXAMPLES = (
    ("ob queue sync", "once"),
    ("ob queue sync --watch", "results as they come, until the queue is empty"),
)
_PAUSE_S = 5.0


def add_arguments(parser: Parser) -> None:
    parser.add_flag("--watch", "--auto", help="go on until nothing waits or runs any more")
    add_json(parser, "what went and what came; with --watch one object a line")


def run(args: Namespace, console: Console) -> int:
    reports: list[SyncReport] = []

    def take(report: SyncReport) -> None:
        reports.append(report)
        if args.json:
            console.data(json.dumps(_data(report)))
        else:
            _say(report, console, is_first=len(reports) == 1)

    session = session_of(console)
    if args.watch:
        load("offbranch.api.queue_remote_work:keep_synced")(session, _PAUSE_S, take)
    else:
        take(sync(session))
    return ExitCode.FAILED if any(report.unsent or report.error for report in reports) else ExitCode.DONE


def say_sent(report: SyncReport, console: Console) -> None:
    """Says what became of tasks that were to be sent."""
    if report.sent:
        console.message(f"Sent {_names([each.name for each in report.sent])} to the shared queue.")
    for each in report.unsent:
        console.warn(f"'{each.stored.name}' stays in the queue of this machine: {each.error.message}", each.error.hint)
    if report.error is not None:
        text = f"workers could not be told: {report.error.message}"
        console.warn(text, "nothing is lost: any worker that starts, and 'ob queue sync', tells them")


def _say(report: SyncReport, console: Console, *, is_first: bool) -> None:
    say_sent(report, console)
    for text in _sentences(report):
        console.message(text)
    if is_first or report.results.ended:
        console.message(f"In the queue: {report.n_waiting} waiting, {report.n_running} running.")


def _sentences(report: SyncReport) -> Iterator[str]:
    results = report.results
    if report.brought:
        yield f"{len(report.brought)} queued elsewhere came here."
    if results.experiments:
        yield f"Ran experiment(s): {', '.join(each.name for each in results.experiments)}"
    for each in results.attempts:
        yield f"'{each.name}' {each.state.value}: {each.cause}"


def _names(names: Sequence[str]) -> str:
    return f"'{names[0]}'" if len(names) == 1 else f"{len(names)} experiments"


def _data(report: SyncReport) -> dict[str, Any]:
    results = report.results
    return {
        "sent": [each.task.id for each in report.sent],
        "unsent": [
            {"id": each.stored.task.id, "name": each.stored.name, "cause": each.error.message} for each in report.unsent
        ],
        "brought": list(report.brought),
        "experiments": [{"name": each.name, "rev": each.commit, "ref": each.ref} for each in results.experiments],
        "attempts": [
            {"id": each.id, "name": each.name, "state": each.state.value, "cause": each.cause}
            for each in results.attempts
        ],
        "ended": list(results.ended),
        "n_waiting": report.n_waiting,
        "n_running": report.n_running,
        "n_announced": report.n_announced,
        "error": None if report.error is None else report.error.message,
    }
