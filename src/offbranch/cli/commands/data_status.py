"""Shows what has happened to the data since the last Git commit.

Data has three places: the records of the last Git commit, the records of now (.dvc files, dvc.lock), and the files
on disk. 'committed' changes lie between the first two, 'uncommitted' ones between the last two. Nothing is changed.
"""

import json
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import Any

from offbranch.api.looking import DataStatus, DataStatusOptions, data_status
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.lines import Style
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser, one_of
from offbranch.cli.sessions import session_of
from offbranch.views.data_text import change_lines, changes_to_json

EXAMPLES = (
    ("ob data status", "all data of the project"),
    ("ob data status --granular data/images", "file by file inside one directory"),
    ("ob data status --untracked-files", "and what nobody tracks yet"),
)


def add_arguments(parser: Parser) -> None:
    help = "output, path inside one, .dvc file or stage; all data if not given"
    parser.add_argument("targets", nargs="*", metavar="target", help=help)
    parser.add_flag("--granular", help="file by file inside directories")
    parser.add_flag("--unchanged", help="show what has not changed, too")
    parser.add_argument(
        "--untracked-files",
        nargs="?",
        const="all",
        default="no",
        type=one_of("no", "all"),
        metavar="no|all",
        help="show files that neither Git nor the project tracks ('all' if nothing follows)",
    )
    parser.add_flag("--not-in-remote", help="show what the data remote lacks")
    parser.add_argument("-r", "--remote", metavar="NAME", help="with --not-in-remote: the data remote to ask")
    parser.add_flag("--no-remote-refresh", help="accepted for DVC's sake: a data remote is asked each time")
    add_json(parser, "the changes")


def run(args: Namespace, console: Console) -> int:
    options = DataStatusOptions(
        granular=args.granular,
        untracked_files=args.untracked_files == "all",
        not_in_remote=args.not_in_remote,
        remote=args.remote,
    )
    status = data_status(args.targets, options, session_of(console))
    if args.json:
        console.data(json.dumps(_to_json(status, unchanged=args.unchanged)))
        return ExitCode.DONE
    blocks = list(_blocks(status, console, unchanged=args.unchanged))
    console.data("\n".join(blocks) if blocks else "No changes.")
    if status.has_git_changes:
        other = "other " if blocks else ""
        console.hint(f"there are {other}changes of files that Git tracks: git status")
    return ExitCode.DONE


def _to_json(status: DataStatus, *, unchanged: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "not_in_cache": status.not_in_cache,
        "not_in_remote": status.not_in_remote,
        "committed": changes_to_json(status.committed),
        "uncommitted": changes_to_json(status.uncommitted),
        "untracked": status.untracked,
        "unchanged": status.unchanged if unchanged else (),
    }
    return {key: value for key, value in found.items() if value}


def _blocks(status: DataStatus, console: Console, *, unchanged: bool) -> Iterator[str]:
    bad, good = Style.BAD, Style.GOOD
    committed, uncommitted = change_lines(status.committed), change_lines(status.uncommitted)
    of_records = ("ob commit <target>... records them", "ob checkout <target>... discards them")
    for title, hints, lines, style in (
        ("Not in the cache:", ("ob fetch <target>... gets it from a data remote",), _plain(status.not_in_cache), bad),
        ("Not in the data remote:", ("ob push <target>... uploads it",), _plain(status.not_in_remote), bad),
        ("Committed changes:", ("git commit of the .dvc files and dvc.lock keeps them",), list(committed), good),
        ("Uncommitted changes:", of_records, list(uncommitted), bad),
        ("Untracked files:", ("git add <file>... or ob add <file>... tracks them",), _plain(status.untracked), bad),
        ("Unchanged:", (), _plain(status.unchanged if unchanged else ()), None),
    ):
        if lines:
            yield "\n".join(_block(title, hints, lines, style, console)) + "\n"


def _plain(paths: Iterable[str]) -> list[tuple[str, str]]:
    return [("", path) for path in paths]


def _block(
    title: str, hints: Iterable[str], lines: Iterable[tuple[str, str]], style: Style | None, console: Console
) -> Iterator[str]:
    yield title
    yield from (f"  ({hint})" for hint in hints)
    for word, path in lines:
        yield "\t" + console.paint(f"{word}: {path}" if word else path, style)
