"""Removes experiments, attempts that failed with their logs, and queued ones. Their data stays in the cache.

All names are checked before anything is removed.
"""

import json
from argparse import Namespace

from offbranch.api.exp_keep import remove
from offbranch.base.errors import ExitCode, UsageError
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_dry_run, add_json, add_revisions
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.experiments.remove import Removal

EXAMPLES = (
    ("ob exp remove wide deep", "two experiments by name"),
    ("ob exp remove --rev main", "all that started from the tip of main"),
    ("ob exp remove -g origin -A --older-than 30d", "what is old at the Git remote 'origin'"),
    ("ob exp remove best --keep --dry-run", "what would go, were only 'best' kept"),
    ("ob exp remove --queue", "all that are queued"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "experiments", nargs="*", metavar="experiment", help="name, pattern, commit, or id of a failed or queued one"
    )
    add_revisions(parser, "remove")
    parser.add_flag("--keep", help="keep what was chosen and remove all others of the repository")
    add_dry_run(parser, "show what would be removed")
    parser.add_flag("--queue", "--queued", help="remove everything that waits in the queue")
    parser.add_argument("-g", "--git-remote", metavar="REMOTE", help="remove at this Git remote, in place of here")
    parser.add_argument(
        "--older-than", metavar="AGE", help="with -g: only those committed before, as 30d, 2w or 2026-10-01"
    )
    add_json(parser, "the names that were removed")


def run(args: Namespace, console: Console) -> int:
    if args.git_remote is not None:
        return int(load("offbranch.cli.share_removal:remove_there")(args, console))
    if args.older_than:
        raise UsageError("--older-than is for -g, the experiments of a Git remote", hint="ob exp remove -g REMOTE")
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
    for experiment in done.experiments:
        console.message(f"{experiment.name}: {experiment.commit}", level=1)
    quoted = [f"'{name}'" for name in done.names]
    names = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
    console.message(f"{'Would remove' if args.dry else 'Removed'} experiments: {names}")
    return ExitCode.DONE
