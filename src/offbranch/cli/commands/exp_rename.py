"""Gives an experiment another name; its commit and baseline stay the same."""

import json
from argparse import Namespace

from offbranch.api.exp_keep import rename
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_dry_run, add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob exp rename chewy-okra baseline", "'chewy-okra' is 'baseline' from now on"),
    ("ob exp rename -g origin chewy-okra baseline", "at the Git remote 'origin' too"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", help="name, full ref or commit")
    parser.add_argument("name", help="its new name")
    parser.add_flag("-f", "--force", help="replace an experiment that has the new name")
    parser.add_argument(
        "-g", "--git-remote", metavar="REMOTE", help="rename it at this Git remote too; it need not be here"
    )
    add_dry_run(parser, "show what would be renamed and replaced")
    add_json(parser, "both names")


def run(args: Namespace, console: Console) -> int:
    if args.git_remote is not None and args.experiment != args.name:
        return _rename_there(args, console)
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


def _rename_there(args: Namespace, console: Console) -> int:
    done = load("offbranch.api.share_there:rename")(
        args.git_remote,
        args.experiment,
        args.name,
        session_of(console),
        force=args.force,
        dry=args.dry,
        may_ask=console.can_ask(),
    )
    if args.json:
        found = (("there", done.there), ("here", done.here))
        shown = {place: {"rev": one.commit, "baseline": one.baseline} for place, one in found if one is not None}
        console.data(json.dumps({"old": args.experiment, "new": args.name, **shown}))
        return ExitCode.DONE
    places = [*([f"at Git remote '{args.git_remote}'"] if done.there else []), *(["here"] if done.here else [])]
    if places:
        verb = "would be" if args.dry else "is now"
        console.message(f"Experiment '{args.experiment}' {verb} '{args.name}' {' and '.join(places)}.")
    else:
        console.message("No experiments to rename: both names are the same.")
    return ExitCode.DONE
