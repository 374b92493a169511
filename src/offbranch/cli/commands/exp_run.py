"""Runs an experiment: parameters are set, the pipeline is brought up to date, and the result is kept under a name.

The experiment is a commit of its own beside your branch. Your branch, index and HEAD stay as they are; the
results are in your workspace as ordinary changes (with --temp only in the experiment). If a stage fails, the
workspace is put back as it was, and the attempt is recorded with its log: 'ob exp show' lists it.

Values of -S follow Hydra: key=value replaces, +key=value adds, ++key=value does either, ~key deletes. A FILE is
looked for in the current directory, then at the top of the project; so is params.yaml where none is named.

With --queue nothing runs: the experiment waits, with the workspace as it is now, until --run-all runs it. Then
-S may name several values: 'lr=0.1,0.2', 'lr=choice(0.1,0.2)', 'epochs=range(1,5)'. Several of these make a grid;
its trials are named NAME-1, NAME-2, ... in the order in which the last one varies fastest.
"""

import json
import shlex
from argparse import Namespace

from offbranch.api.run_request import RunReport, RunRequest
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode, UsageError
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.cli.checkpoint_options import add_checkpoints, add_resuming, checkpoint_mode, refuse_contradiction
from offbranch.cli.console import Console
from offbranch.cli.lines import Style
from offbranch.cli.options import add_json, add_targets, refuse_together
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.pipeline_options import (
    TARGETS_HELP,
    add_pipeline_options,
    execute_options,
    reporter_of,
    select_options,
)
from offbranch.cli.plan_text import plan_data, plan_lines
from offbranch.cli.slot_options import add_slots, given_slots
from offbranch.cli.task_options import add_task_options, given

EXAMPLES = (
    ("ob exp run -S train.lr=0.1", "one parameter changed"),
    ("ob exp run -n wide -S 'model.layers=[64, 64]'", "with a name of your own"),
    ("ob exp run -S conf.json:seed=7 --temp", "another file; the workspace stays as it is"),
    ("ob exp run -S db=postgres -S +model@teacher=large", "groups of a configuration that Hydra composes"),
    ("ob exp run --dry -S train.lr=0.1", "what would be run, and why"),
    ("ob exp run --queue -n lr -S 'train.lr=0.1,0.2' -S 'seed=range(3)'", "six experiments for later: lr-1 to lr-6"),
    ("ob exp run --resume wide", "go on from its newest checkpoint, after it was killed"),
    ("ob exp run --resume wide@3 -S train.lr=0.01", "a new experiment from its third checkpoint on"),
    ("ob exp run --run-all", "run what is queued"),
)
# Loaded where something is to be run now, and where it is to be queued.
RUN = "offbranch.api.exp:run"
QUEUE = "offbranch.cli.exp_run_queue"


def add_arguments(parser: Parser) -> None:
    add_targets(parser, TARGETS_HELP)
    parser.add_argument(
        "-n", "--name", metavar="NAME", help="name of the experiment; a new one is made up if not given"
    )
    parser.add_argument(
        "-S",
        "--set-param",
        action="append",
        default=[],
        metavar="[FILE:]KEY=VALUE",
        help="set a parameter (of params.yaml if no FILE is named), with --queue also to several values; may be repeated",
    )
    parser.add_flag("--temp", help="run in a temporary copy: the workspace stays as it is")
    parser.add_argument(
        "-C",
        "--copy-paths",
        action="append",
        default=[],
        metavar="PATH",
        help="with --temp or --queue: an untracked or ignored path that the copy needs; may be repeated",
    )
    parser.add_argument("-m", "--message", metavar="TEXT", help="commit message of the experiment")
    add_pipeline_options(
        parser,
        force_help="run every stage, changed or not, and replace an experiment of this name",
        jobs=("--stage-jobs",),
    )
    add_checkpoints(parser)
    add_resuming(parser)
    parser.add_flag("--no-hydra", help="do not compose params.yaml by Hydra, also if the project is set up for it")
    parser.add_flag("--queue", help="do not run it now: keep it, as the workspace is, for --run-all")
    add_task_options(parser, when="with --queue: ")
    parser.add_flag("--run-all", help="run everything that is queued, each in a temporary copy")
    parser.add_argument("-j", "--jobs", type=whole_number, metavar="N", help="with --run-all: run up to N at a time")
    add_slots(parser, "with --run-all: ")
    parser.add_argument(
        "--max-trials",
        type=whole_number,
        metavar="N",
        help="with --queue: queue up to N trials at once (5000 if not given)",
    )
    add_json(parser, "name, commit and baseline of the experiment (of each that was queued or run)")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "temp", "queue", "run_all")
    if args.run_all:
        code: int = load(f"{QUEUE}:run_queued")(args, console)
        return code
    _refuse_stray(args)
    refuse_contradiction(args)
    session = Session(start=console.start, environment=console.environment, reporter=reporter_of(args, console))
    request = RunRequest(
        overrides=tuple(args.set_param),
        name=args.name,
        message=args.message,
        force=args.force,
        targets=tuple(args.targets),
        temporary=args.temp,
        copy_paths=tuple(args.copy_paths),
        dry=args.dry,
        use_hydra=not args.no_hydra,
        checkpoint=checkpoint_mode(args),
        keep_checkpoints=args.keep_checkpoints,
        resume=args.resume,
        select=select_options(args),
        execute=replace(execute_options(args), starts_over=args.reset),
    )
    if args.queue:
        queued: int = load(f"{QUEUE}:queue")(request, session, args, console)
        return queued
    with console.stdout_for_data(args.json):
        report: RunReport = load(RUN)(request, session)
        _say_result(report, console, show_plan=not args.json)
    if args.json:
        console.data(json.dumps(_data(report)))
    return ExitCode.DONE


def _refuse_stray(args: Namespace) -> None:
    if args.copy_paths and not (args.temp or args.queue):
        raise UsageError("-C copies paths into the temporary copy, and there is none", hint="add --temp or --queue")
    if args.jobs is not None:
        raise UsageError(
            "-j says how many queued experiments run at a time", hint="add --run-all; for stages: --stage-jobs"
        )
    if slots := given_slots(args):
        option = f"--{next(iter(slots)).replace('_', '-')}"
        raise UsageError(f"{option} is about queued experiments", hint="add --run-all; where it is queued: --resources")
    if args.max_trials is not None and not args.queue:
        raise UsageError("--max-trials is about what is queued", hint="add --queue")
    if not args.queue and (said := given(args)):
        raise UsageError(f"{' and '.join(said)}: this is about what waits in the queue", hint="add --queue")
    if args.queue and args.interactive:
        raise UsageError("-i asks before each command, and nothing runs now", hint="leave -i out")


def _say_result(report: RunReport, console: Console, *, show_plan: bool) -> None:
    if report.plan is not None:
        if show_plan:
            console.data("\n".join(plan_lines(report.plan, console.verbosity.level)))
        console.hint("nothing was run, and no experiment was made (--dry)")
    if report.experiment is None:
        return
    console.message(f"\nRan experiment(s): {console.paint(report.experiment.name, Style.BOLD, console.messages)}")
    if report.in_workspace:
        console.message("Experiment results have been applied to your workspace.")
        console.hint("compare it with the others: ob exp show")
    else:
        name = shlex.quote(report.experiment.name)
        console.message(f"To apply the results of an experiment to your workspace run:\n\n\tob exp apply {name}\n")


def _data(report: RunReport) -> object:
    if report.plan is not None:
        return plan_data(report.plan)
    if report.experiment is None:
        return None
    made = report.experiment
    return {"name": made.name, "rev": made.commit, "baseline": made.baseline}
