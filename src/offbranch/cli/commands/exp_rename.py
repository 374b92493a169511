"""Gives an experiment another name; its commit and baseline stay the same."""

import json
from argparse import Namespace

from offbranch.api.exp import rename
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_dry_run, add_json, refuse_later
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob exp rename chewy-okra baseline", "'chewy-okra' is 'baseline' from now on"),)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", help="name, full ref or commit")
    parser.add_argument("name", help="its new name")
    parser.add_flag("-f", "--force", help="replace an experiment that has the new name")
    parser.add_argument(
        "-g", "--git-remote", metavar="REMOTE", help="rename on a Git remote (comes in a later version)"
    )
    add_dry_run(parser, "show what would be renamed and replaced")
    add_json(parser, "both names")


def run(args: Namespace, console: Console) -> int:
    refuse_later(args, (("git_remote", "--git-remote"),), hint="rename it here; it can be pushed under the new name")
    done = rename(args.experiment, args.name, session_of(console), force=args.force, dry=args.dry)
    if args.json:
        names = {"old": done.old.name, "new": done.new.name, "rev": done.new.commit, "baseline": done.new.baseline}
        console.data(json.dumps({**names, "replaced": done.replaced.commit if done.replaced else None}))
        return ExitCode.DONE
    if done.new == done.old:
        console.message("No experiments to rename: both names are the same.")
        return ExitCode.DONE
    console.message(f"Experiment '{done.old.name}' {'would be' if done.is_dry else 'is now'} '{done.new.name}'.")
    if done.replaced is not None:
        old = done.replaced
        verb = "would replace" if done.is_dry else "replaced"
        console.hint(f"it {verb} the commit {old.commit[:10]}; to keep that: ob exp branch {old.commit[:10]} NAME")
    return ExitCode.DONE
