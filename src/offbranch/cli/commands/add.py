"""Puts data files or directories under control: the content goes into the cache, a small .dvc file records it.

The .dvc file and the .gitignore beside it are for Git; the data itself is not. A path inside a directory that
was added before updates that directory.
"""

import json
from argparse import Namespace

from offbranch.api.data import Added, add, add_to_remote
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob add data/raw", "a directory; makes data/raw.dvc"),
    ("ob add --glob 'data/*.csv'", "every file that fits"),
    ("ob add /mnt/big.bin -o data/big.bin", "a copy of something from elsewhere"),
    ("ob add --to-remote /mnt/huge -o data/huge", "straight to the data remote, nothing of it here"),
)
_OF_REMOTES = (("remote", "-r"), ("remote_jobs", "--remote-jobs"))
_LOCAL_ONLY = (("glob", "--glob"), ("no_commit", "--no-commit"))


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="+", metavar="path", help="file or directory; with --to-remote also a url")
    parser.add_flag("--no-commit", help="record the hash only; 'ob commit' stores the content later")
    parser.add_flag("--glob", help="paths may be shell patterns, '**' included")
    parser.add_argument("-o", "--out", metavar="PATH", help="copy the data to PATH and add that")
    parser.add_argument("--desc", metavar="TEXT", help="what the data is, for people")
    parser.add_flag("--to-remote", help="send it to a data remote only: neither cache nor workspace get it")
    parser.add_argument("-r", "--remote", metavar="NAME", help="with --to-remote: the data remote")
    parser.add_argument("--remote-jobs", type=whole_number, metavar="N", help="with --to-remote: transfers at a time")
    parser.add_flag("-f", "--force", help="replace what is at --out")
    parser.add_flag("--no-relink", help="leave the files as they are, no links into the cache")
    add_json(parser, "what was added")


def run(args: Namespace, console: Console) -> int:
    done = _send(args, console) if args.to_remote else _add(args, console)
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


def _add(args: Namespace, console: Console) -> tuple[Added, ...]:
    for name, written in _OF_REMOTES:
        if getattr(args, name):
            raise UsageError(f"{written} is for --to-remote", hint="leave it out, or add --to-remote")
    return add(
        args.targets,
        session_of(console),
        commit=not args.no_commit,
        glob=args.glob,
        out=args.out,
        force=args.force,
        relink=not args.no_relink,
        desc=args.desc,
    )


def _send(args: Namespace, console: Console) -> tuple[Added, ...]:
    for name, written in _LOCAL_ONLY:
        if getattr(args, name):
            raise UsageError(f"--to-remote and {written} exclude each other", hint="leave out one of them")
    if len(args.targets) > 1 and args.out:
        raise UsageError("-o/--out needs exactly one target")
    session = session_of(console)
    return tuple(
        add_to_remote(
            target,
            session,
            out=args.out,
            remote=args.remote,
            jobs=args.remote_jobs,
            force=args.force,
            desc=args.desc,
        )
        for target in args.targets
    )
