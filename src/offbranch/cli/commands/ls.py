"""Lists the files of a project: those of Git and the data, which need not be on disk.

The project may be here, or anywhere that Git reaches: a copy of a repository that is elsewhere is kept in the
directory for derived data. Without a url the directory you are in is listed; with one, 'path' counts from the top.
"""

import json
import posixpath
from argparse import Namespace

from offbranch.api.files import FileList, ListRequest, list_files
from offbranch.base.errors import ExitCode, UsageError
from offbranch.base.paths import RepoPath
from offbranch.cli.console import Console
from offbranch.cli.lines import Style
from offbranch.cli.options import add_json, refuse_together
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.sessions import session_of
from offbranch.experiments.inventory import InventoryEntry
from offbranch.views.file_list import entry_to_json, file_lines, tree_rows

EXAMPLES = (
    ("ob ls", "this directory"),
    ("ob ls . data -R --size", "all files of the directory 'data' with their sizes"),
    ("ob ls https://example.org/team/project.git --rev v1.2 --dvc-only", "the data of a project elsewhere"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("url", nargs="?", metavar="url", help="directory or Git url of a project; here if not given")
    parser.add_argument("path", nargs="?", metavar="path", help="what to list; everything if not given")
    parser.add_flag("-R", "--recursive", help="list the files of all levels")
    parser.add_flag("-T", "--tree", help="draw all levels as a tree")
    parser.add_argument("-L", "--level", type=whole_number, metavar="N", help="with -R or -T: only N levels")
    parser.add_flag("--dvc-only", help="only data")
    parser.add_argument("--rev", nargs="?", metavar="COMMIT", help="commit or experiment; the workspace if not given")
    parser.add_flag("--size", help="show sizes")
    parser.add_flag("--show-hash", help="show hashes")
    add_json(parser, "the files")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "tree", "json")
    if args.level is not None and args.level < 1:
        raise UsageError("--level needs a number from 1 on")
    request = ListRequest(
        url=args.url,
        path=args.path or "",
        rev=args.rev,
        recursive=args.recursive or args.tree,
        depth=args.level,
        data_only=args.dvc_only,
    )
    found = list_files(request, session_of(console))
    if args.json:
        rows = _rows(found, args)
        console.data(json.dumps([entry_to_json(entry, name) for entry, name in rows]))
    else:
        rows = _tree(found, args) if args.tree else _rows(found, args)
        painted = [(entry, _paint(entry, name, console)) for entry, name in rows]
        console.data("\n".join(file_lines(painted, size=args.size, hash=args.show_hash)))
    for error in found.errors:
        console.warn(error.message, error.hint)
    return ExitCode.FAILED if found.errors else ExitCode.DONE


def _rows(found: FileList, args: Namespace) -> list[tuple[InventoryEntry, str]]:
    entries = found.entries
    if args.recursive:
        depth = args.level
        entries = tuple(
            sorted(
                (one for one in entries if not one.is_dir or _level(one, found.top) == depth),
                key=lambda one: one.path,
            )
        )
    return [(entry, _seen_from(found.top, entry.path)) for entry in entries]


def _tree(found: FileList, args: Namespace) -> list[tuple[InventoryEntry, str]]:
    name = args.path.rstrip("/") if args.path else "."
    return tree_rows(found.entry, name, found.entries if found.entry.is_dir else ())


def _level(entry: InventoryEntry, top: RepoPath) -> int:
    return _seen_from(top, entry.path).count("/") + 1


def _seen_from(top: RepoPath, path: RepoPath) -> str:
    return posixpath.relpath(path, top) if top else path


def _paint(entry: InventoryEntry, name: str, console: Console) -> str:
    if entry.is_out:
        return console.paint(name, Style.GOOD)
    return console.paint(name, Style.BOLD) if entry.is_dir else name
