"""Imports a file or directory of another repository, data or Git's, and records the commit: 'ob update' gets the next version.

Data is taken from the cache of that project when it is on this machine, else from its data remote. Git itself connects,
with your own keys and credentials.
"""

from argparse import Namespace

from offbranch.api.imports import ImportRequest, import_path
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, refuse_together
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.cli.source_options import add_jobs, add_repository, say_imported, source_of_args

EXAMPLES = (
    ("ob import https://example.org/team/data.git images", "the directory 'images' of another project"),
    ("ob import ../data model.bin -o models/base.bin --rev v1.2", "one file, as it was in a release"),
)


def add_arguments(parser: Parser) -> None:
    add_repository(parser, "import")
    parser.add_flag("-f", "--force", help="replace what is at the place")
    parser.add_flag("--no-exec", help="only record where it is")
    parser.add_flag("--no-download", help="only record where it is, and the commit")
    add_jobs(parser)
    parser.add_argument("--desc", metavar="TEXT", help="what the data is, for people")
    add_json(parser, "what was imported")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "no_exec", "no_download")
    request = ImportRequest(
        out=args.out,
        download=not (args.no_exec or args.no_download),
        look=not args.no_exec,
        jobs=args.jobs,
        force=args.force,
        desc=args.desc,
    )
    done = import_path(source_of_args(args), args.path, session_of(console), request)
    say_imported((done,), args, console)
    return ExitCode.DONE
