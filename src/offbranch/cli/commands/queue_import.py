"""Makes tasks ours that DVC has queued: they leave DVC's queue, and are run by 'ob queue start' as they were queued.

Files, parameters, targets and options are those that DVC has recorded. A task that a worker of DVC takes in the same
moment stays with that worker; what runs, or has ended, is left where it is.
"""

import json
from argparse import Namespace

from offbranch.api.queue_peer import Imported, import_tasks
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.options import add_dry_run, add_json
from offbranch.cli.parser import Parser
from offbranch.cli.queue_text import short, task_to_json
from offbranch.cli.sessions import session_of
from offbranch.cli.task_options import add_task_options
from offbranch.cli.task_terms import terms_of

EXAMPLES = (
    ("ob queue import --all", "everything that waits in DVC's queue"),
    ("ob queue import wide 'lr-*' --hold", "some of it, to be released later"),
    ("ob queue import --all --dry-run", "what would be taken"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("tasks", nargs="*", metavar="task", help="name, pattern, or beginning of a commit")
    parser.add_flag("--all", help="everything that waits there")
    add_task_options(parser)
    add_dry_run(parser, "show what would be taken")
    add_json(parser, "what is ours now, and what is not and why")


def run(args: Namespace, console: Console) -> int:
    if bool(args.tasks) == args.all:
        raise UsageError("give either names of tasks, or --all", hint="ob queue status lists what DVC has queued")
    done = import_tasks(session_of(console), tuple(args.tasks), terms=terms_of(args), dry=args.dry)
    if args.json:
        console.data(json.dumps(_data(done)))
    else:
        _say(done, args, console)
    return ExitCode.FAILED if done.refused else ExitCode.DONE


def _say(done: Imported, args: Namespace, console: Console) -> None:
    if done.tasks:
        verb = "Would take over" if args.dry else "Took over"
        console.message(f"{verb} from DVC's queue: {short([each.spec.name for each in done.tasks])}")
    elif not (done.refused or done.missed):
        console.message("Nothing waits in DVC's queue.")
    for each in done.refused:
        console.warn(f"'{each.peer.name}' stays with DVC: {each.reason}", "let DVC run it: dvc queue start")
    if done.missed:
        console.hint(f"a worker of DVC has taken them meanwhile: {short([each.name for each in done.missed])}")


def _data(done: Imported) -> dict[str, object]:
    commits = {each.task.id: each.commit for each in done.stored}
    return {
        "imported": [{**task_to_json(each), "rev": commits.get(each.id)} for each in done.tasks],
        "refused": [{"name": each.peer.name, "rev": each.peer.commit, "cause": each.reason} for each in done.refused],
        "missed": [{"name": each.name, "rev": each.commit} for each in done.missed],
    }
