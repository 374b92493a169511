"""Brings imported data up to date: looks at where it came from, gets what has changed there, and records that.

An import of a revision that does not move, as a tag, stays as it is until --rev names another one.
"""

from argparse import Namespace

from offbranch.api.imports import UpdateRequest, update
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_recursive, refuse_together
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.source_options import add_jobs, say_imported

EXAMPLES = (
    ("ob update images.dvc", "the newest version of what was imported"),
    ("ob update --rev v2.0 model.bin.dvc", "another revision, from now on"),
    ("ob update -R data", "every import below a directory"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="+", metavar="target", help=".dvc file of an import, or its data")
    parser.add_argument("--rev", nargs="?", metavar="COMMIT", help="revision of the repository to follow from now on")
    add_recursive(parser)
    parser.add_flag("--no-download", help="only record what there is now")
    parser.add_flag("--to-remote", help="bring it to a data remote only: neither cache nor workspace get it")
    parser.add_argument("-r", "--remote", metavar="NAME", help="with --to-remote: the data remote")
    add_jobs(parser)
    add_json(parser, "what was brought up to date")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "no_download", "to_remote")
    if args.remote and not args.to_remote:
        raise UsageError("-r is for --to-remote", hint="leave it out, or add --to-remote")
    request = UpdateRequest(
        rev=args.rev,
        recursive=args.recursive,
        download=not args.no_download,
        to_remote=args.to_remote,
        remote=args.remote,
        jobs=args.jobs,
    )
    say_imported(update(args.targets, session_of(console), request), args, console)
    return ExitCode.DONE
