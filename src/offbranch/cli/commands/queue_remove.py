"""Takes tasks out of the queue: those that wait, and what is left of those that have ended: attempts and logs.

Experiments stay. All names are checked before anything is removed; a task that runs is never removed.
"""

import json
from argparse import Namespace

from offbranch.api.queue_change import ALL_TO_REMOVE, remove
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_dry_run, add_json
from offbranch.cli.parser import Parser
from offbranch.cli.queue_text import add_tasks, choice_of, known_to_json, say_running, say_shared, short
from offbranch.cli.sessions import session_of
from offbranch.queue.task import TaskState

EXAMPLES = (
    ("ob queue remove wide 'lr-*'", "one by name, and all that are called like this"),
    ("ob queue remove --failed", "what has failed or was stopped, with its logs"),
    ("ob queue remove --all --dry-run", "what would go"),
)
_STATES = {
    "queued": frozenset((TaskState.QUEUED,)),
    "failed": frozenset((TaskState.FAILED, TaskState.CANCELLED)),
    "success": frozenset((TaskState.SUCCEEDED,)),
    "all": ALL_TO_REMOVE,
}


def add_arguments(parser: Parser) -> None:
    add_tasks(parser, "what to remove")
    parser.add_flag("--all", help="remove all tasks but those that run")
    parser.add_flag("--queued", help="remove those that wait")
    parser.add_flag("--failed", help="remove those that have failed or were stopped")
    parser.add_flag("--success", help="remove those that have succeeded; their experiments stay")
    add_dry_run(parser, "show what would be removed")
    add_json(parser, "the tasks that were removed")


def run(args: Namespace, console: Console) -> int:
    states = frozenset(state for flag, some in _STATES.items() if getattr(args, flag) for state in some)
    choice = choice_of(args, states, "one of --all, --queued, --failed and --success")
    done = remove(choice, session_of(console), dry=args.dry)
    if args.json:
        console.data(json.dumps(known_to_json(done.tasks)))
        return ExitCode.DONE
    names = [*(each.name for each in done.tasks), *(each.ref.rpartition("/")[2] for each in done.unreadable)]
    if names:
        console.message(f"{'Would remove' if args.dry else 'Removed'} tasks in queue: {short(names)}")
    else:
        console.message("No tasks found named []")
    say_running(done.running, console)
    say_shared(done.shared, console)
    return ExitCode.DONE
