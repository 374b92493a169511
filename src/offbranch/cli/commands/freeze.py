"""Freezes stages and .dvc files: what they depend on does not make them run or change any more.

It sets 'frozen: true' in dvc.yaml or the .dvc file; everything else in the file stays, comments included.
'ob unfreeze' undoes it.
"""

from argparse import Namespace
from collections.abc import Iterable

from offbranch.api.freezing import Frozen, set_frozen
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob freeze prepare", "later runs take its outputs as they are"),
    ("ob freeze raw.csv.dvc", "imported data is not brought up to date by a run"),
)
TARGETS_HELP = (
    "stage (train), a whole foreach or matrix group, a stage in another file (sub/dvc.yaml:train), or .dvc file"
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="+", metavar="target", help=TARGETS_HELP)


def run(args: Namespace, console: Console) -> int:
    say_frozen(
        set_frozen(args.targets, session_of(console), frozen=True),
        console,
        now="is frozen now",
        before="was frozen already",
    )
    return ExitCode.DONE


def say_frozen(done: Iterable[Frozen], console: Console, *, now: str, before: str) -> None:
    """Prints what has been done about each target, and which files Git should take."""
    changed = []
    for one in done:
        if one.is_changed:
            changed.append(one.file)
            console.message(f"'{one.address}' {now}.")
        else:
            console.message(f"'{one.address}' {before}.")
    say_what_to_track(changed, console)
