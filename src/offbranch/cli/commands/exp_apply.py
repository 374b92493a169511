"""Brings the files of an experiment into the workspace, as ordinary changes: parameters, code, metrics and outputs.

Your branch, index and HEAD stay as they are. What would be overwritten is kept first, and the message says how
to get it back. A failed attempt or a queued experiment can be applied too, by its name or the id that 'ob exp show'
prints, and any revision of Git.
"""

import json
from argparse import Namespace

from offbranch.api.exp_keep import apply
from offbranch.base.errors import ExitCode
from offbranch.base.records import as_dict
from offbranch.cli.console import Console
from offbranch.cli.options import add_dry_run, add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.experiments.apply import Applied
from offbranch.experiments.baseline import mismatch_line

EXAMPLES = (
    ("ob exp apply wide", "the experiment 'wide'"),
    ("ob exp apply --dry-run wide", "what that would change"),
    ("ob exp apply --strict-baseline wide", "only if it started from this commit"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", help="name, commit, or id of a failed or queued one")
    parser.add_flag("--strict-baseline", help="refuse an experiment that started from another commit than HEAD")
    add_dry_run(parser, "show what would be written, overwritten and deleted")
    parser.add_flag("--no-force", help="accepted for DVC's sake: what would be overwritten is always kept")
    add_json(parser)


def run(args: Namespace, console: Console) -> int:
    done = apply(args.experiment, session_of(console), strict_baseline=args.strict_baseline or None, dry=args.dry)
    if done.baseline is not None and done.baseline != done.head:
        console.warn(
            mismatch_line(args.experiment, done.baseline, done.head),
            "'git diff' shows everything that is different now",
        )
    if done.missing:
        console.warn(f"not in the cache: {', '.join(done.missing)}", "make them again with 'ob repro'")
    if args.json:
        console.data(json.dumps(as_dict(done)))
    elif done.is_dry:
        _foretell(done, console)
    else:
        console.message(f"Changes for experiment '{args.experiment}' have been applied to your current workspace.")
        if done.saved:
            console.hint(f"what they replaced is kept; to go back: ob exp apply {done.saved[:10]}")
    return ExitCode.DONE


def _foretell(done: Applied, console: Console) -> None:
    parts = (
        ("write", done.written),
        ("overwrite", done.overwritten),
        ("delete", done.deleted),
        ("check out", done.outputs),
    )
    for verb, paths in parts:
        for path in paths:
            mark = "  (your changes are kept first)" if path.removesuffix("/") in done.kept else ""
            console.message(f"Would {verb} {path}{mark}")
    if not any(paths for _, paths in parts):
        console.message(f"The workspace is as '{done.name}' has it already.")
