"""`ob exp run --queue` and `--run-all`: what they print. Loaded only for these."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from offbranch.api.queue import MAX_TRIALS, Queued, submit
from offbranch.api.run_request import RunRequest
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode, UsageError
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.lines import Style
from offbranch.cli.queue_text import task_to_json
from offbranch.cli.sessions import session_of
from offbranch.cli.slot_options import NAMES, given_slots
from offbranch.cli.task_terms import terms_of
from offbranch.queue.task import TaskState
from offbranch.queue.task_end import TaskEnd, end_to_json

# What carries tasks out; who only queues does not need it.
RUN_ALL = "offbranch.api.queue_run_all:run_all"
NAMES_ELSEWHERE = "offbranch.api.queue_run_all:names_elsewhere"
_SHOWN_TASKS = 20
_SHOWN_AT_EACH_END = 3
# What --run-all says itself; everything else is about an experiment that is new.
_OF_ALL = frozenset(
    ("run_all", "jobs", "json", "quiet", "verbose", "help", "cd", "no_color", "stage_jobs", "func", "command", *NAMES)
)


def queue(request: RunRequest, session: Session, args: Namespace, console: Console) -> int:
    """Queues what was asked for, and says so."""
    max_trials = MAX_TRIALS if args.max_trials is None else args.max_trials
    with console.stdout_for_data(args.json):
        done = submit(request, session, terms=terms_of(args), max_trials=max_trials)
        for text in _sentences(done, dry=request.dry):
            console.message(text)
        if request.dry:
            console.hint("nothing was queued (--dry)")
        elif args.hold:
            console.hint("let it go: ob queue release NAME")
        elif done.shared is not None:
            load("offbranch.cli.commands.queue_sync:say_sent")(done.shared, console)
        else:
            console.hint(_run_hint(len(done.tasks)))
    if args.json:
        console.data(json.dumps(_queued_data(done)))
    return ExitCode.DONE


def run_queued(args: Namespace, console: Console) -> int:
    """Runs what is queued; the exit code tells whether all of it succeeded."""
    _refuse_others(args)
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"there cannot be {args.jobs} experiments at a time", hint="1 runs one after the other")
    ends: list[TaskEnd] = []
    try:
        with console.stdout_for_data(args.json):
            slots = load("offbranch.api.queue_offer:SlotWish")(**given_slots(args))
            for end in load(RUN_ALL)(session_of(console), jobs=args.jobs, slots=slots):
                ends.append(end)
    finally:  # what has ended has ended, also if the rest was stopped
        if args.json:
            console.data(json.dumps([end_to_json(end) for end in ends]))
        else:
            say_ends(ends, console)
    if not ends and not args.json:
        _say_none(load(NAMES_ELSEWHERE)(session_of(console)), console)
    return exit_code_of(ends)


def _say_none(elsewhere: Sequence[str], console: Console) -> None:
    if not elsewhere:
        console.message("No experiments in the queue.")
        return
    n_tasks = "1 experiment that was" if len(elsewhere) == 1 else f"{len(elsewhere)} experiments that were"
    console.message(f"No experiments in the queue but {n_tasks} sent to the shared queue.")
    console.hint("a worker of it runs them: ob queue start")


def exit_code_of(ends: Sequence[TaskEnd]) -> int:
    """Returns whether every task whose runs are given became an experiment."""
    return ExitCode.DONE if all(end.experiment is not None for end in _last_ends(ends)) else ExitCode.FAILED


def _last_ends(ends: Sequence[TaskEnd]) -> Sequence[TaskEnd]:
    """Returns the last run of each task."""
    return tuple({end.id: end for end in ends}.values())


def _run_hint(n_tasks: int) -> str:
    several = " (-j N: N at a time)" if n_tasks > 1 else ""
    return f"run what is queued: ob queue start{several}"


def _sentences(done: Queued, *, dry: bool) -> Iterator[str]:
    verb = "Would queue" if dry else "Queued"
    tasks = done.tasks
    if done.replaced:
        yield f"{'Would take' if dry else 'Took'} out of the queue what had the same name: {_quoted(done.replaced)}"
    shown = range(len(tasks))
    if len(tasks) > _SHOWN_TASKS:
        shown = range(_SHOWN_AT_EACH_END)
    for number in shown:
        yield _sentence(done, number, verb)
    if len(tasks) > _SHOWN_TASKS:
        yield f"... and {len(tasks) - 2 * _SHOWN_AT_EACH_END} more ..."
        for number in range(len(tasks) - _SHOWN_AT_EACH_END, len(tasks)):
            yield _sentence(done, number, verb)
        yield f"{verb} {len(tasks)} experiments."


def _sentence(done: Queued, number: int, verb: str) -> str:
    spec = done.tasks[number].spec
    overrides = f"  {', '.join(spec.overrides)}" if spec.overrides else ""
    return f"{verb} experiment '{spec.name}' for future execution.{overrides}"


def say_ends(ends: Sequence[TaskEnd], console: Console) -> None:
    """Prints what some runs of tasks have come to."""
    ends = _last_ends(ends)
    made = [end.experiment.name for end in ends if end.experiment is not None]
    # One that was only stopped waits again, which has been said.
    failed = [
        end.name for end in ends if end.experiment is None and end.attempt_id and end.state is not TaskState.QUEUED
    ]
    left = [end.name for end in ends if end.experiment is None and not end.attempt_id]
    if made:
        console.message(f"\nRan experiment(s): {console.paint(', '.join(made), Style.BOLD, console.messages)}")
        console.message("To apply the results of an experiment to your workspace run:\n\n\tob exp apply <exp>\n")
    if failed:
        console.warn(
            f"failed: {_quoted(failed)}", "ob exp show tells why; 'ob exp apply NAME' brings back what they left"
        )
    if left:
        console.warn(f"not run, and left in the queue: {_quoted(left)}", "'ob queue slots' shows what this machine has")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _queued_data(done: Queued) -> list[dict[str, Any]]:
    commits = {each.task.id: each.commit for each in done.stored}
    return [{**task_to_json(task), "rev": commits.get(task.id)} for task in done.tasks]


def _refuse_others(args: Namespace) -> None:
    given = [name for name, value in vars(args).items() if name not in _OF_ALL and value not in (None, False, [], ())]
    if given:
        shown = ", ".join("target" if name == "targets" else f"--{name.replace('_', '-')}" for name in sorted(given))
        raise UsageError(
            f"--run-all runs what is queued as it was queued; it goes with none of these: {shown}",
            hint="give them where it is queued: ob exp run --queue",
        )
