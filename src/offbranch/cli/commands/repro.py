"""Brings the pipeline up to date: runs the stages whose command, dependencies or parameters changed, in order.

A stage that ran before with the same command, dependencies and parameters is not run again: its
outputs come from the cache. Each stage that runs says why. Nothing is recorded in Git; to keep a result
under a name, use 'ob exp run'.
"""

import json
from argparse import Namespace

from offbranch.api.pipeline import ReproRequest, plan, repro
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode, Interrupted
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.options import add_json, add_targets
from offbranch.cli.parser import Parser
from offbranch.cli.pipeline_options import (
    TARGETS_HELP,
    add_pipeline_options,
    execute_options,
    reporter_of,
    select_options,
)
from offbranch.cli.plan_text import plan_data, plan_lines, result_data
from offbranch.pipeline.execute import RunResult
from offbranch.pipeline.options import FailurePolicy

EXAMPLES = (
    ("ob repro", "everything in ./dvc.yaml that changed"),
    ("ob repro train", "only 'train' and what it needs"),
    ("ob repro --dry", "what would be done, and why"),
    ("ob repro -f -s train", "run 'train' alone, changed or not"),
    ("ob repro -j 4", "up to 4 stages at a time where they do not need each other"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, TARGETS_HELP)
    add_pipeline_options(
        parser, force_help="run every stage, changed or not; the run-cache is not asked", jobs=("-j", "--jobs")
    )
    parser.add_flag("--glob", help="stage names may be shell patterns, as 'train-*'")
    parser.add_flag("--no-commit", help="do not store outputs in the cache; 'ob commit' does it later")
    parser.add_flag("--no-run-cache", help="run stages even if the same run is in the run-cache")
    add_json(parser, "what was done (or with --dry would be), stage by stage,")


def run(args: Namespace, console: Console) -> int:
    request = ReproRequest(targets=tuple(args.targets), select=select_options(args), execute=execute_options(args))
    session = Session(start=console.start, environment=console.environment, reporter=reporter_of(args, console))
    if args.dry:
        steps = plan(request, session)
        if args.json:
            console.data(json.dumps(plan_data(steps)))
            return ExitCode.DONE
        console.data("\n".join(plan_lines(steps, console.verbosity.level)))
        console.hint("nothing was run (--dry)" if not steps.is_empty else "everything is up to date")
        return ExitCode.DONE
    with console.stdout_for_data(args.json):
        result = repro(request, session)
        _say_result(result, console)
    if args.json:
        console.data(json.dumps(result_data(result)))
    is_ignored = request.execute.on_failure is FailurePolicy.IGNORE and not isinstance(result.error, Interrupted)
    if result.error is not None and not is_ignored:
        raise result.error
    return ExitCode.DONE


def _say_result(result: RunResult, console: Console) -> None:
    if not result.did_anything:
        console.message("Data and pipelines are up to date.")
        return
    say_what_to_track((path for done in result.stages for path in done.touched), console)
