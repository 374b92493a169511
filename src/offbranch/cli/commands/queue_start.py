"""Starts workers in the background that run what is queued, also what is queued later.

Each task runs in a temporary copy: go on editing, committing and running meanwhile. A worker that finds nothing to
do for 10 seconds ends. What its commands print is in the log of each task ('ob queue logs NAME'). With --foreground
it is shown here, and the exit code tells whether all tasks succeeded.

With --slurm the tasks are handed to SLURM instead, as array jobs; what follows it goes to sbatch, but for names of
tasks, -j, --foreground and --json. SLURM keeps what it has got: start again for what was queued or lost since, or
stay with --foreground, which does that until nothing waits any more.
"""

import json
from argparse import Namespace
from collections.abc import Sequence

from offbranch.api.queue_offer import SlotWish
from offbranch.api.queue_workers import StartRequest, Voices, be_worker, start_workers
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.sessions import session_of
from offbranch.cli.slot_options import add_slots, given_slots
from offbranch.cli.worker_log import WorkerLog

EXAMPLES = (
    ("ob queue start", "run what is queued, one after the other"),
    ("ob queue start -j 4", "four at a time"),
    ("ob queue start --gpus all", "as many as there are GPUs, each with one"),
    ("ob queue start --gpus 0-3 --per-task 2", "two at a time, each with two GPUs"),
    ("ob queue start wide deep", "only these two, and then end"),
    ("ob queue start --foreground --keep", "as a service: in the foreground, until it is stopped"),
    ("ob queue start -j 20 --slurm --partition=gpu --time=2:00:00", "as jobs of SLURM, 20 at a time"),
)
_RUN = "offbranch.cli.exp_run_queue"


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "tasks", nargs="*", metavar="task", help="name, id or commit of a queued task; all if not given"
    )
    parser.add_argument(
        "-j", "--jobs", type=whole_number, metavar="N", help="run up to N tasks at a time (1 if not given)"
    )
    add_slots(parser)
    parser.add_flag("--foreground", help="run here, with the output of the tasks")
    parser.add_flag("--keep", help="stay, also when there is nothing to do")
    parser.add_flag("--auto", help="of a shared queue: bring the outputs of all its tasks here, as they come")
    parser.add_flag("--slurm", help="hand the tasks to SLURM; options of sbatch may follow")
    add_json(parser, "the worker that was started, or with --foreground how each task ended")
    parser.split_by(_split)


def run(args: Namespace, console: Console) -> int:
    if args.slurm:
        return int(load("offbranch.cli.queue_start_slurm:run")(args, console))
    slots = SlotWish(**given_slots(args))
    request = StartRequest(jobs=args.jobs, slots=slots, names=tuple(args.tasks), keep=args.keep, auto=args.auto)
    if args.foreground:
        return _in_foreground(request, args, console)
    voices = Voices(worker=WorkerLog, task=lambda: Console(environment=console.environment))
    started = start_workers(request, session_of(console), voices)
    if args.json:
        console.data(json.dumps({"started": started.n_new, "worker": started.worker, "log": started.log}))
        return ExitCode.DONE
    # The words of DVC, which counts none as one.
    workers = "workers" if started.n_new > 1 else "worker"
    console.message(f"Started '{started.n_new}' new experiments task queue {workers}.")
    return ExitCode.DONE


def _split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    if "--slurm" not in words:
        return words, None
    found: tuple[Sequence[str], Sequence[str] | None] = load("offbranch.queue.slurm.options:split_words")(words)
    return found


def _in_foreground(request: StartRequest, args: Namespace, console: Console) -> int:
    ends = []
    try:
        with console.stdout_for_data(args.json):
            for end in be_worker(request, session_of(console)):
                ends.append(end)
    finally:  # what has ended has ended, also if the rest was stopped
        if args.json:
            console.data(json.dumps([load("offbranch.queue.task_end:end_to_json")(end) for end in ends]))
        else:
            load(f"{_RUN}:say_ends")(ends, console)
    return int(load(f"{_RUN}:exit_code_of")(ends))
