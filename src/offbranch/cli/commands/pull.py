"""Downloads data from a data remote and puts it into the workspace: 'ob fetch' and 'ob checkout' in one.

Prints A (added), M (modified) or D (deleted) and the path. Changes that are in no cache are never thrown away
without -f. What cannot be had is named; the rest is put in place all the same.
"""

from argparse import Namespace

from offbranch.api.transfer import pull
from offbranch.base.errors import CorruptObjectError, ExitCode
from offbranch.cli.commands.checkout import summary as summary_of
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.transfer_options import (
    add_transfer_json,
    add_transfer_options,
    nothing_moved,
    say_moved,
    scope_of,
    transfer_options_of,
)
from offbranch.cli.transfer_outcome import counted
from offbranch.experiments.move_data import raise_problems

EXAMPLES = (
    ("ob pull", "everything the workspace records"),
    ("ob pull train", "what the stage 'train' made"),
    ("ob pull -d evaluate", "what 'evaluate' made, and all it needs"),
)


def add_arguments(parser: Parser) -> None:
    add_transfer_options(parser, "pull")
    parser.add_flag("-f", "--force", help="throw away changes that are in no cache")
    parser.add_flag("--allow-missing", help="no failure if data is nowhere")
    add_transfer_json(parser)


def run(args: Namespace, console: Console) -> int:
    moved = pull(
        scope_of(args),
        session_of(console),
        transfer_options_of(args),
        force=args.force,
        allow_missing=args.allow_missing,
    )
    changes = {
        "modified": moved.checked_out.modified,
        "added": moved.checked_out.added,
        "deleted": moved.checked_out.deleted,
    }
    if not args.json:
        for what, paths in changes.items():
            for path in paths:
                console.data(f"{what[0].upper()}\t{path}")
    counts = {what: len(paths) for what, paths in changes.items()}
    n_files = moved.n_objects + moved.n_runs
    parts = [counted(n_files, "file", "fetched")] if n_files else []
    parts += [summary_of(counts)] if any(counts.values()) else []
    say_moved(moved, "fetched", args, console, summary=" and ".join(parts) or nothing_moved(moved, "pulled"))
    raise_problems(moved, "pulled")
    if isinstance(moved.checked_out.error, CorruptObjectError):
        raise moved.checked_out.error
    return ExitCode.DONE
