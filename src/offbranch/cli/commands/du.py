"""Shows how much space the files of a project take: data, whether it is on disk or not, and the files of Git.

Pipeline files (dvc.yaml, .dvc files, .dvcignore) are not counted, as with DVC. The project may be elsewhere, see 'ob ls'.
"""

import json
from argparse import Namespace

from offbranch.api.files import ListRequest, SpaceUsed, space_used
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.views.file_list import size_text

EXAMPLES = (
    ("ob du", "each entry of this directory, and the sum"),
    ("ob du . data", "each entry of the directory 'data'"),
    ("ob du . --rev v1.2 -s", "all of a commit, in one number"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("url", nargs="?", metavar="url", help="directory or Git url of a project; here if not given")
    parser.add_argument("path", nargs="?", metavar="path", help="what to measure; everything if not given")
    parser.add_argument("--rev", nargs="?", metavar="COMMIT", help="commit or experiment; the workspace if not given")
    parser.add_flag("-s", "--summarize", help="only the sum")
    add_json(parser, "the numbers of bytes")


def run(args: Namespace, console: Console) -> int:
    used = space_used(ListRequest(url=args.url, path=args.path or "", rev=args.rev), session_of(console))
    if args.json:
        console.data(json.dumps(_to_json(used)))
    else:
        console.data("\n".join(_lines(used, only_sum=args.summarize)))
    if used.n_unknown:
        files = "file is" if used.n_unknown == 1 else "files are"
        console.warn(f"the size of {used.n_unknown} {files} not known here, so not counted")
    return ExitCode.DONE


def _to_json(used: SpaceUsed) -> dict[str, object]:
    return {"path": used.path, "size": used.total, "entries": [{"path": p, "size": s} for p, s in used.entries]}


def _lines(used: SpaceUsed, *, only_sum: bool) -> list[str]:
    rows = [] if only_sum else [(size_text(size), path) for path, size in used.entries]
    rows.append((size_text(used.total), used.path))
    width = max(len(size) for size, _ in rows)
    return [f"{size:<{width}}  {path}" if path else size for size, path in rows]
