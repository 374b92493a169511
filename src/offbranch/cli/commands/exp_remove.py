"""Removes experiments, attempts that failed with their logs, and queued ones. Their data stays in the cache.

All names are checked before anything is removed.
"""

import json
from argparse import Namespace

from offbranch.api.exp import remove
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_revisions, refuse_later
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.experiments.remove import Removal

EXAMPLES = (
    ("ob exp remove wide deep", "two experiments by name"),
    ("ob exp remove --rev main", "all that started from the tip of main"),
    ("ob exp remove --queue", "all that are queued"),
    ("ob exp remove best --keep --dry", "what would go, were only 'best' kept"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "experiments", nargs="*", metavar="experiment", help="name, commit, or id of a failed or queued one"
    )
    add_revisions(parser, "remove")
    parser.add_flag("--keep", help="keep what was chosen and remove all others of the repository")
    parser.add_flag("--dry", help="show what would be removed")
    parser.add_flag("--queue", "--queued", help="remove everything that waits in the queue")
    parser.add_argument(
        "-g", "--git-remote", metavar="REMOTE", help="remove on a Git remote (comes in a later version)"
    )
    add_json(parser, "the names that were removed")


def run(args: Namespace, console: Console) -> int:
    later = (("git_remote", "--git-remote"),)
    refuse_later(args, later, hint="DVC 3 works in the same project: dvc exp remove")
    removal = Removal(
        names=tuple(args.experiments),
        everything=args.all_commits,
        revs=tuple(args.rev),
        n_commits=args.num,
        keep=args.keep,
        dry=args.dry,
        queue=args.queue,
    )
    done = remove(removal, session_of(console))
    if args.json:
        console.data(json.dumps(list(done.names)))
        return ExitCode.DONE
    if not done.names:
        console.message("No experiments to remove.")
        return ExitCode.DONE
    quoted = [f"'{name}'" for name in done.names]
    names = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
    console.message(f"{'Would remove' if args.dry else 'Removed'} experiments: {names}")
    return ExitCode.DONE
