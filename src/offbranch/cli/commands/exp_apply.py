"""Brings the files of an experiment into the workspace, as ordinary changes: parameters, code, metrics and outputs.

Your branch, index and HEAD stay as they are. What would be overwritten is kept first, and the message says how
to get it back. A failed attempt or a queued experiment can be applied too, by its name or the id that 'ob exp show' prints.
"""

import json
from argparse import Namespace

from offbranch.api.exp import apply
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob exp apply wide", "the experiment 'wide'"),
    ("ob exp apply --strict-baseline wide", "only if it started from this commit"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("experiment", help="name, commit, or id of a failed or queued one")
    parser.add_flag("--strict-baseline", help="refuse an experiment that started from another commit than HEAD")
    parser.add_flag("--no-force", help="accepted for DVC's sake: what would be overwritten is always kept")
    add_json(parser)


def run(args: Namespace, console: Console) -> int:
    done = apply(args.experiment, session_of(console), strict_baseline=args.strict_baseline or None)
    if done.baseline != done.head:
        console.warn(
            f"'{args.experiment}' started from {done.baseline[:7]}, and HEAD is {done.head[:7]}",
            "'git diff' shows everything that is different now",
        )
    if done.missing:
        console.warn(f"not in the cache: {', '.join(done.missing)}", "make them again with 'ob repro'")
    if args.json:
        names = ("name", "commit", "baseline", "head", "saved", "missing")
        console.data(json.dumps({name: getattr(done, name) for name in names}))
        return ExitCode.DONE
    console.message(f"Changes for experiment '{args.experiment}' have been applied to your current workspace.")
    if done.saved:
        console.hint(f"what they replaced is kept; to go back: ob exp apply {done.saved}")
    return ExitCode.DONE
