"""The options of commands that bring data from elsewhere, and how what came of them is told."""

import json
from argparse import Namespace
from collections.abc import Iterable

from offbranch.base.errors import UsageError
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.parser import Parser, whole_number
from offbranch.experiments.import_url import split_options
from offbranch.experiments.imports import Imported
from offbranch.experiments.source_repo import RepoSource


def add_jobs(parser: Parser) -> None:
    """Adds `-j`."""
    parser.add_argument("-j", "--jobs", type=whole_number, metavar="N", help="downloads at a time")


def add_fs_config(parser: Parser) -> None:
    """Adds `--fs-config`."""
    parser.add_argument(
        "--fs-config",
        action="extend",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="options of the place, as of a data remote",
    )


def add_repository(parser: Parser, verb: str) -> None:
    """Adds the arguments and options that name a path of a repository."""
    parser.add_argument("url", metavar="url", help="path or Git url of the repository")
    parser.add_argument("path", metavar="path", help=f"what to {verb}, below the top of the repository")
    parser.add_argument("-o", "--out", nargs="?", metavar="PATH", help="the place here; its name if not given")
    parser.add_argument("--rev", nargs="?", metavar="COMMIT", help="revision; the default branch if not given")
    parser.add_argument("--config", metavar="FILE", help="config file that is laid over that of the repository")
    parser.add_argument("--remote", metavar="NAME", help="its data remote to use, in place of its default one")
    parser.add_argument(
        "--remote-config",
        action="extend",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="options of that data remote",
    )


def source_of_args(args: Namespace, *, default_remote: str | None = None) -> RepoSource:
    """Returns the repository that the options name; what they say of its remote is kept as DVC keeps it."""
    options = split_options(tuple(args.remote_config))
    if not options:
        return RepoSource(url=args.url, rev=args.rev, config=args.config, remote=args.remote)
    if args.config:
        raise UsageError("--config and --remote-config exclude each other", hint="write the option into the file")
    name = args.remote or default_remote
    if name is None:
        raise UsageError("--remote-config needs --remote", hint="name the data remote whose options these are")
    return RepoSource(url=args.url, rev=args.rev, config={"core": {"remote": name}, "remote": {name: options}})


def say_imported(imported: Iterable[Imported], args: Namespace, console: Console) -> None:
    """Prints what was imported, one line each or as JSON, and what Git should take."""
    done = tuple(imported)
    if args.json:
        console.data(json.dumps([imported_data(one) for one in done]))
        return
    for one in done:
        if one.changed:
            console.message(f"Importing '{one.source}' -> '{one.path}'")
        else:
            console.message(f"'{one.data_file}' didn't change, skipping")
    say_what_to_track((path for one in done for path in one.touched), console)


def imported_data(one: Imported) -> dict[str, object]:
    """Returns what `--json` prints of one import."""
    content = one.content
    return {
        "path": one.path,
        "file": one.data_file,
        "source": one.source,
        "changed": one.changed,
        "md5": None if content is None else content.id,
        "size": None if content is None else content.size,
    }
