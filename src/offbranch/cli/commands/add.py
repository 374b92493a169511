"""Puts data files or directories under control: the content goes into the cache, a small .dvc file records it.

The .dvc file and the .gitignore beside it are for Git; the data itself is not. A path inside a directory that
was added before updates that directory.
"""

import json
from argparse import Namespace

from offbranch.api.data import add
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.options import add_json, refuse_later
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob add data/raw", "a directory; makes data/raw.dvc"),
    ("ob add --glob 'data/*.csv'", "every file that fits"),
    ("ob add /mnt/big.bin -o data/big.bin", "a copy of something from elsewhere"),
)
_OF_REMOTES = (("to_remote", "--to-remote"), ("remote", "--remote"), ("remote_jobs", "--remote-jobs"))


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="+", metavar="path", help="file or directory")
    parser.add_flag("--no-commit", help="record the hash only; 'ob commit' stores the content later")
    parser.add_flag("--glob", help="paths may be shell patterns, '**' included")
    parser.add_argument("-o", "--out", metavar="PATH", help="copy the data to PATH and add that")
    parser.add_argument("--desc", metavar="TEXT", help="what the data is, for people")
    parser.add_flag("--to-remote", help="send it to a data remote only (comes in a later version)")
    parser.add_argument("-r", "--remote", metavar="NAME", help="the data remote for --to-remote (later)")
    parser.add_argument("--remote-jobs", type=whole_number, metavar="N", help="transfers at a time (later)")
    parser.add_flag("-f", "--force", help="replace what is at --out")
    parser.add_flag("--no-relink", help="leave the files as they are, no links into the cache")
    add_json(parser, "what was added")


def run(args: Namespace, console: Console) -> int:
    refuse_later(args, _OF_REMOTES, hint="DVC 3 works in the same project: dvc add --to-remote")
    done = add(
        args.targets,
        session_of(console),
        commit=not args.no_commit,
        glob=args.glob,
        out=args.out,
        force=args.force,
        relink=not args.no_relink,
        desc=args.desc,
    )
    if args.json:
        console.data(
            json.dumps(
                [
                    {"path": one.path, "file": one.data_file, "md5": one.content.id, "size": one.content.size}
                    for one in done
                ]
            )
        )
        return ExitCode.DONE
    for one in done:
        console.message(
            f"Added '{one.path}' as '{one.data_file}'." if one.is_new else f"'{one.data_file}' is up to date."
        )
    say_what_to_track((path for one in done for path in one.touched), console)
    return ExitCode.DONE
