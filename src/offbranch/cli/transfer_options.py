"""The options that `push`, `fetch` and `pull` share, and how they end."""

import json
from argparse import Namespace

from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_recursive, add_targets, add_with_deps
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.transfer_outcome import counted, moved_data, warn_of_problems
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.move_data import Moved, TransferOptions, raise_problems
from offbranch.pipeline.stage import OutputKind


def add_transfer_options(parser: Parser, verb: str) -> None:
    """Adds targets and the options of every transfer."""
    add_targets(parser, "stage, .dvc file, output, or a path inside a tracked directory; everything if not given")
    parser.add_argument("-j", "--jobs", type=whole_number, metavar="N", help="transfers at a time")
    parser.add_argument("-r", "--remote", metavar="NAME", help="the data remote, in place of the default one")
    parser.add_flag("-a", "--all-branches", help=f"{verb} the data of all branches too")
    parser.add_flag("-T", "--all-tags", help=f"{verb} the data of all tags too")
    parser.add_flag("-A", "--all-commits", help=f"{verb} the data of every commit too")
    add_with_deps(parser)
    add_recursive(parser)
    parser.add_flag("--run-cache", help=f"{verb} the run-cache too: what made which outputs")
    parser.add_flag("--no-run-cache", help="leave the run-cache out, as if nothing is said")
    parser.add_flag("--glob", help="targets may be shell patterns, as 'train-*'")


def add_selecting_options(parser: Parser, verb: str) -> None:
    """Adds options that leave out some of the data."""
    parser.add_argument(
        "--max-size", type=whole_number, metavar="BYTES", help=f"{verb} only outputs that are no larger"
    )
    parser.add_argument(
        "--type",
        action="append",
        default=[],
        choices=("metrics", "plots"),
        metavar="TYPE",
        help=f"{verb} only 'metrics' or 'plots'; may be repeated",
    )


def scope_of(args: Namespace) -> DataScope:
    """Returns which data is meant."""
    return DataScope(
        targets=tuple(args.targets),
        remote=args.remote,
        with_deps=args.with_deps,
        recursive=args.recursive,
        glob=args.glob,
        all_branches=args.all_branches,
        all_tags=args.all_tags,
        all_commits=args.all_commits,
        kinds=tuple(OutputKind(kind) for kind in getattr(args, "type", ())),
        max_size_bytes=getattr(args, "max_size", None),
    )


def transfer_options_of(args: Namespace) -> TransferOptions:
    """Returns how it is moved."""
    return TransferOptions(jobs=args.jobs, run_cache=args.run_cache and not args.no_run_cache)


def add_transfer_json(parser: Parser) -> None:
    """Adds `--json`."""
    add_json(parser, "how much was moved, and what was not,")


def say_moved(moved: Moved, verb: str, args: Namespace, console: Console, *, summary: str) -> None:
    """Prints the problems, and then the outcome in one line or as JSON."""
    warn_of_problems(moved, console)
    if args.json:
        console.data(json.dumps(moved_data(moved, verb)))
    else:
        console.message(summary)


def finish(moved: Moved, verb: str, args: Namespace, console: Console) -> int:
    """Tells what a transfer came to, and returns the exit code.

    Raises:
        OffbranchError: Something could not be moved.
    """
    n_files = moved.n_objects + moved.n_runs
    say_moved(
        moved, verb, args, console, summary=counted(n_files, "file", verb) if n_files else nothing_moved(moved, verb)
    )
    raise_problems(moved, verb)
    return ExitCode.DONE


def nothing_moved(moved: Moved, verb: str) -> str:
    """Returns the sentence for a transfer that moved nothing: because nothing had to be, or because it failed."""
    has_failed = moved.problems or moved.error is not None
    return f"Nothing was {verb}." if has_failed else "Everything is up to date."
