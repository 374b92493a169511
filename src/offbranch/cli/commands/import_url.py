"""Imports a file or directory from a url, and records where it came from: 'ob update' gets the next version.

A url is one of a web server, S3 or another store, of an SSH server, 'remote://NAME/PATH' for a place below a data remote, or a
path of this machine.
"""

from argparse import Namespace

from offbranch.api.imports import ImportRequest, import_url
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, refuse_together
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.source_options import add_fs_config, add_jobs, say_imported
from offbranch.experiments.import_url import split_options

EXAMPLES = (
    ("ob import-url https://example.org/data.csv", "a file of a web server"),
    ("ob import-url s3://bucket/images data/images", "a directory of S3, at a place of your choice"),
    ("ob import-url --to-remote remote://big/raw raw", "straight to the data remote, nothing of it here"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("url", metavar="url", help="where the data is")
    parser.add_argument("out", nargs="?", metavar="path", help="the place here; its name if not given")
    parser.add_flag("--to-remote", help="bring it to a data remote only: neither cache nor workspace get it")
    parser.add_argument("-r", "--remote", metavar="NAME", help="with --to-remote: the data remote")
    parser.add_flag("--no-exec", help="only record where it is")
    parser.add_flag("--no-download", help="only record where and what it is")
    add_jobs(parser)
    parser.add_flag("-f", "--force", help="replace what is at the place")
    parser.add_flag("--version-aware", help="record the version of each file, for stores that keep versions")
    add_fs_config(parser)
    parser.add_argument("--desc", metavar="TEXT", help="what the data is, for people")
    add_json(parser, "what was imported")


def run(args: Namespace, console: Console) -> int:
    for one, other in (("no_exec", "no_download"), ("to_remote", "no_exec"), ("to_remote", "no_download")):
        refuse_together(args, one, other)
    if args.to_remote and args.version_aware:
        raise UsageError("--to-remote and --version-aware exclude each other", hint="leave out one of them")
    if args.remote and not args.to_remote:
        raise UsageError("-r is for --to-remote", hint="leave it out, or add --to-remote")
    request = ImportRequest(
        out=args.out,
        download=not (args.no_exec or args.no_download),
        look=not args.no_exec,
        to_remote=args.to_remote,
        remote=args.remote,
        jobs=args.jobs,
        force=args.force,
        desc=args.desc,
    )
    options = split_options(tuple(args.fs_config))
    done = import_url(args.url, session_of(console), request, options=options, versioned=args.version_aware)
    say_imported((done,), args, console)
    return ExitCode.DONE
