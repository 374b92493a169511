"""Puts tasks into the queue again that have failed or were stopped: with the same files and parameters, under the same name.

What is said about running them stays as it was, but for the options given here. Their earlier attempts and logs stay.
One that had made checkpoints goes on from the newest of them.
"""

import json
from argparse import Namespace

from offbranch.api.queue_change import ALL_TO_RETRY, retry
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_dry_run, add_json
from offbranch.cli.parser import Parser
from offbranch.cli.queue_text import add_tasks, choice_of, say_shared, short, task_to_json
from offbranch.cli.sessions import session_of
from offbranch.cli.task_options import add_task_options
from offbranch.cli.task_terms import terms_of
from offbranch.queue.task import TaskState

EXAMPLES = (
    ("ob queue retry wide", "queue one again"),
    ("ob queue retry --failed --timeout 4h", "all that have failed, with more time"),
    ("ob queue retry 'lr-*' --hold", "they wait until 'ob queue release'"),
)


def add_arguments(parser: Parser) -> None:
    add_tasks(parser, "what to queue again")
    parser.add_flag("--all", help="queue again all that have failed or were stopped")
    parser.add_flag("--failed", help="queue again all that have failed, but none that was stopped")
    parser.add_flag("--reset", help="start over, also where there are checkpoints to go on from")
    add_task_options(parser)
    add_dry_run(parser, "show what would be queued again")
    add_json(parser, "the tasks that are queued again")


def run(args: Namespace, console: Console) -> int:
    states = ALL_TO_RETRY if args.all else frozenset((TaskState.FAILED,) if args.failed else ())
    choice = choice_of(args, states, "one of --all and --failed")
    done = retry(choice, session_of(console), terms=terms_of(args), starts_over=args.reset, dry=args.dry)
    if args.json:
        commits = {each.task.id: each.commit for each in done.stored}
        console.data(json.dumps([{**task_to_json(each), "rev": commits.get(each.id)} for each in done.tasks]))
        return ExitCode.DONE
    if done.tasks:
        verb = "Would queue again" if args.dry else "Queued again"
        console.message(f"{verb}: {short([each.spec.name for each in done.tasks])}")
    else:
        console.message("No tasks have failed.")
    if done.left_out:
        names = short([each.name for each in done.left_out])
        console.hint(f"left out, because another task or an experiment is called so now: {names}")
    say_shared(done.shared, console)
    return ExitCode.DONE
