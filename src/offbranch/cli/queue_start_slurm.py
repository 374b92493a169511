"""`ob queue start --slurm`: what it prints. Loaded only for this."""

import json
from argparse import Namespace
from typing import Any

from offbranch.api.queue_slurm import HandedOver, SlurmRequest, hand_to_slurm
from offbranch.base.errors import ExitCode, UsageError
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.sessions import session_of

_SHOWN_NAMES = 5
# What is about workers on this machine.
_NOT_HERE = ("keep", "gpus", "per_task", "per_gpu", "cpus", "memory", "auto")


def run(args: Namespace, console: Console) -> int:
    """Hands tasks to SLURM; with `--foreground` stays until none is left."""
    given = [name for name in _NOT_HERE if getattr(args, name, None) not in (None, False, (), [])]
    if given:
        shown = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(
            f"--slurm goes with none of these: {shown}",
            hint="what a job gets is said by the resources of its task, or by options of sbatch after --slurm",
        )
    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"there cannot be {args.jobs} tasks at a time", hint="leave -j out for as many as SLURM likes")
    request = SlurmRequest(names=tuple(args.tasks), options=tuple(args.for_another or ()), limit=args.jobs)
    if args.foreground:
        return _follow(request, args, console)
    with console.stdout_for_data(args.json):
        done = hand_to_slurm(request, session_of(console))
        say(done, console)
    if args.json:
        console.data(json.dumps(data_of(done)))
    return ExitCode.FAILED if done.refusal is not None or done.given_up else ExitCode.DONE


def say(done: HandedOver, console: Console, *, again: bool = False) -> None:
    """Says what was handed over.

    Args:
        again: Nothing new is no news.
    """
    names = dict(done.names)
    for each in done.submissions:
        shown = [names.get(task.id, task.id) for task in each.tasks[:_SHOWN_NAMES]]
        more = f" and {len(each.tasks) - _SHOWN_NAMES} more" if len(each.tasks) > _SHOWN_NAMES else ""
        console.message(f"Submitted {_count(len(each.tasks))} to SLURM as job {each.job_id}: {', '.join(shown)}{more}")
    if not (done.submissions or again):
        if done.there:
            console.message(f"SLURM has all that waits already: {_count(len(done.there))}.")
        elif not done.given_up:
            console.message("No experiments in the queue.")
    if done.cancelled:
        console.message(f"Cancelled what held a place in SLURM for nothing: {', '.join(done.cancelled)}")
    for stored in done.given_up:
        hint = f"ob queue logs {stored.name} shows what SLURM said"
        console.warn(f"'{stored.name}' has failed: SLURM could not run it", hint)
    if done.refusal is not None:
        console.warn(
            f"not all was submitted: {done.refusal.message}",
            "what is left waits; 'ob queue start --slurm' goes on with it",
        )


def data_of(done: HandedOver) -> dict[str, Any]:
    """Returns what programs get."""
    names = dict(done.names)
    return {
        "jobs": [
            {
                "job_id": each.job_id,
                "cluster": each.cluster or None,
                "options": list(each.options),
                "tasks": [{"id": task.id, "name": names.get(task.id), "index": n} for n, task in enumerate(each.tasks)],
            }
            for each in done.submissions
        ],
        "n_there": len(done.there),
        "given_up": [stored.name for stored in done.given_up],
        "cancelled": list(done.cancelled),
        "refusal": None if done.refusal is None else done.refusal.message,
    }


def _count(n: int) -> str:
    return "1 experiment" if n == 1 else f"{n} experiments"


def _follow(request: SlurmRequest, args: Namespace, console: Console) -> int:
    follow = load("offbranch.api.queue_slurm_follow:follow_slurm")
    all_succeeded, jobs, is_first = True, list[dict[str, Any]](), True
    with console.stdout_for_data(args.json):
        for done, waited in follow(request, session_of(console)):
            say(done, console, again=not is_first)
            jobs += data_of(done)["jobs"]
            is_first = False
            all_succeeded = waited is None or waited.all_succeeded
    if args.json:
        console.data(json.dumps({"jobs": jobs, "all_succeeded": all_succeeded}))
    return ExitCode.DONE if all_succeeded else ExitCode.FAILED
