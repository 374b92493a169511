"""Removes what workers leave behind and nobody needs: control messages of DVC's workers, and our own stale files.

Tasks, attempts, experiments and logs stay, and so does all that belongs to a worker that lives.
"""

import json
from argparse import Namespace

from offbranch.api.queue_peer import clean
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_dry_run, add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob exp clean", "remove it"),
    ("ob exp clean --dry-run -v", "what would go"),
)


def add_arguments(parser: Parser) -> None:
    add_dry_run(parser, "show what would be removed")
    add_json(parser, "the files that were removed")


def run(args: Namespace, console: Console) -> int:
    done = clean(session_of(console), dry=args.dry)
    if args.json:
        console.data(json.dumps({"messages": list(done.messages), "files": list(done.files)}))
        return ExitCode.DONE
    for path in (*done.messages, *done.files):
        console.message(path, level=1)
    verb = "Would remove" if args.dry else "Removed"
    console.message(
        f"{verb} {_count(len(done.messages), 'control message')} and {_count(len(done.files), 'stale file')}."
    )
    return ExitCode.DONE


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
