"""Gives an experiment another name; its commit and baseline stay the same."""

from argparse import Namespace

from offbranch.api.exp import rename
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob exp rename chewy-okra baseline", "'chewy-okra' is 'baseline' from now on"),
    ("ob exp rename -g origin chewy-okra baseline", "at the Git remote 'origin' too"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", help="name or commit")
    parser.add_argument("name", help="its new name")
    parser.add_flag("-f", "--force", help="replace an experiment that has the new name")
    parser.add_argument(
        "-g", "--git-remote", metavar="REMOTE", help="rename it at this Git remote too; it need not be here"
    )


def run(args: Namespace, console: Console) -> int:
    if args.git_remote is not None and args.experiment != args.name:
        return _rename_there(args, console)
    done = rename(args.experiment, args.name, session_of(console), force=args.force)
    if done is None:
        console.message("No experiments to rename: both names are the same.")
    else:
        console.message(f"Experiment '{args.experiment}' is now '{done.name}'.")
    return ExitCode.DONE


def _rename_there(args: Namespace, console: Console) -> int:
    done = load("offbranch.api.share_there:rename")(
        args.git_remote,
        args.experiment,
        args.name,
        session_of(console),
        force=args.force,
        may_ask=console.can_ask(),
    )
    places = [*([f"at Git remote '{args.git_remote}'"] if done.there else []), *(["here"] if done.here else [])]
    if places:
        console.message(f"Experiment '{args.experiment}' is now '{args.name}' {' and '.join(places)}.")
    else:
        console.message("No experiments to rename: both names are the same.")
    return ExitCode.DONE
