"""Lists the files below a url. No project is needed, but for 'remote://NAME/PATH'."""

import json
from argparse import Namespace

from offbranch.api.getting import UrlEntry, list_url
from offbranch.base.errors import ExitCode, UsageError
from offbranch.base.paths import RepoPath
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, refuse_together
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.sessions import session_of
from offbranch.cli.source_options import add_fs_config
from offbranch.experiments.import_url import split_options
from offbranch.experiments.inventory import InventoryEntry
from offbranch.views.file_list import entry_to_json, file_lines, tree_rows

EXAMPLES = (
    ("ob list-url s3://bucket/images", "what is in a directory"),
    ("ob list-url ssh://host/data -R --size", "all files of it with their sizes"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("url", metavar="url", help="where to look")
    parser.add_flag("-R", "--recursive", help="list the files of all levels")
    parser.add_flag("-T", "--tree", help="draw all levels as a tree")
    parser.add_argument("-L", "--level", type=whole_number, metavar="N", help="with -R or -T: only N levels")
    parser.add_flag("--size", help="show sizes")
    add_fs_config(parser)
    add_json(parser, "the files")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "tree", "json")
    if args.level is not None and args.level < 1:
        raise UsageError("--level needs a number from 1 on")
    found = list_url(
        args.url,
        session_of(console),
        recursive=args.recursive or args.tree,
        depth=args.level,
        options=split_options(tuple(args.fs_config)),
    )
    entries = [InventoryEntry(RepoPath(one.path), one.is_dir, size=one.size) for one in found]
    if args.json:
        console.data(json.dumps([entry_to_json(entry, entry.path) for entry in entries]))
        return ExitCode.DONE
    rows = (
        tree_rows(InventoryEntry(RepoPath(""), True), args.url, _with_directories(found))
        if args.tree
        else [(entry, entry.path) for entry in entries]
    )
    console.data("\n".join(file_lines(rows, size=args.size, hash=False)))
    return ExitCode.DONE


def _with_directories(found: tuple[UrlEntry, ...]) -> list[InventoryEntry]:
    """Returns the entries, each directory before what it holds."""
    entries: dict[str, InventoryEntry] = {}
    for one in found:
        parts = one.path.split("/")
        for n in range(1, len(parts)):
            above = "/".join(parts[:n])
            entries.setdefault(above, InventoryEntry(RepoPath(above), True))
        entries[one.path] = InventoryEntry(RepoPath(one.path), one.is_dir, size=one.size)
    return list(entries.values())
