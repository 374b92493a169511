"""Makes a project: writes .dvc/config, .dvc/.gitignore and .dvcignore, and stages them in Git.

The directory should be the top of a Git repository. A project that DVC 3 made needs no 'ob init'.
"""

import os
from argparse import Namespace

from offbranch.api.project import init
from offbranch.base.errors import ExitCode, NotFoundError
from offbranch.base.paths import absolute
from offbranch.base.records import replace
from offbranch.cli.console import Console
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("git init && ob init", "a new repository and project"),
    ("ob init --subdir", "a project in a directory of a larger repository"),
    ("ob init --no-scm", "without Git: pipelines and data, but no experiments"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("directory", nargs="?", default=".", help="where; the current directory if not given")
    parser.add_flag("--no-scm", help="do without Git: pipelines and data, but no experiments")
    parser.add_flag("-f", "--force", help="start afresh where a project is already; its cache is deleted")
    parser.add_flag("--subdir", help="the directory is not the top of its Git repository")


def run(args: Namespace, console: Console) -> int:
    directory = absolute(args.directory, base=console.start)
    if not os.path.isdir(directory):
        raise NotFoundError(f"there is no directory '{args.directory}'", hint=f"mkdir '{args.directory}' first")
    session = replace(session_of(console), start=directory)
    created = init(session, no_scm=args.no_scm, subdir=args.subdir, force=args.force)
    console.message(f"Made a project in '{created.root}'.")
    if created.is_staged:
        console.message("Its files are staged; commit them with:\n\n\tgit commit -m 'Start a project'\n")
    console.hint("next: 'ob add DATA' for data, 'ob stage add' for a pipeline, then 'ob exp run'")
    return ExitCode.DONE
