"""What commands that change the queue have in common: choosing tasks, and telling what became of them."""

import json
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import Any

from offbranch.api.queue_change import Changed
from offbranch.base.errors import UsageError
from offbranch.base.plugins import load
from offbranch.base.records import as_dict
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.queue.chosen import KnownTask, TaskChoice
from offbranch.queue.remote.report import SyncReport
from offbranch.queue.task import StoredTask, Task, TaskState

_SHOWN = 20
_EACH_END = 3


def add_tasks(parser: Parser, what: str) -> None:
    """Adds the argument that names tasks."""
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"{what}: name, pattern, id, or beginning of a commit")


def choice_of(args: Namespace, states: frozenset[TaskState], flags: str) -> TaskChoice:
    """Returns which tasks are meant.

    Args:
        args: With the names.
        states: All of which are meant in place of names.
        flags: How the user says so.

    Raises:
        UsageError: Both are given, or neither.
    """
    if bool(args.tasks) == bool(states):
        raise UsageError(f"give either names of tasks, or {flags}", hint="ob queue status lists the tasks")
    return TaskChoice(names=tuple(args.tasks), states=states)


def waiting_of(args: Namespace) -> TaskChoice:
    """Returns which tasks are meant where `--all` stands for everything that waits.

    Raises:
        UsageError: Both names and that are given, or neither.
    """
    return choice_of(args, frozenset((TaskState.QUEUED,) if args.all else ()), "--all")


def say_changed(done: Changed, args: Namespace, console: Console, verb: str) -> None:
    """Tells which tasks have changed."""
    if args.json:
        console.data(json.dumps([stored_to_json(each) for each in done.tasks]))
        return
    if done.tasks:
        console.message(f"{verb}: {short([each.name for each in done.tasks])}")
    elif not args.tasks:
        console.message("No tasks to change in the queue.")
    if done.same and args.tasks:
        console.message(f"As they were: {short([each.name for each in done.same])}")
    say_running(done.running, console)
    say_shared(done.shared, console)


def say_shared(report: SyncReport | None, console: Console) -> None:
    """Tells what the other machines of a shared queue know of a change; nothing where there are none."""
    if report is not None:
        load("offbranch.cli.commands.queue_sync:say_sent")(report, console)


def say_running(running: Sequence[KnownTask], console: Console) -> None:
    """Tells which tasks were left alone."""
    if running:
        console.hint(f"left alone, because they run: {short([each.name for each in running])}")


def short(names: Sequence[str]) -> str:
    """Returns names in one line, of very many the first and the last."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    ends = (", ".join(names[:_EACH_END]), ", ".join(names[-_EACH_END:]))
    return f"{ends[0]}, … {len(names) - 2 * _EACH_END} more …, {ends[1]}"


def stored_to_json(stored: StoredTask) -> dict[str, Any]:
    """Returns a task that waits, for `--json`."""
    return {**task_to_json(stored.task), "rev": stored.commit}


def task_to_json(task: Task) -> dict[str, Any]:
    """Returns what a task is and how it is to be run, for `--json`."""
    return {
        "name": task.spec.name,
        "id": task.id,
        "baseline": task.spec.baseline,
        "overrides": list(task.spec.overrides),
        "priority": task.priority,
        "is_held": task.is_held,
        "timeout_s": task.timeout_s,
        "retries": task.retries,
        "round": task.round,
        "resources": as_dict(task.resources),
    }


def known_to_json(tasks: Iterable[KnownTask]) -> list[dict[str, Any]]:
    """Returns tasks in any state, for `--json`."""
    return [{"name": each.name, "id": each.id, "baseline": each.baseline, "state": each.state.value} for each in tasks]
