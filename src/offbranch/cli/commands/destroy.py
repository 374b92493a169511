"""Takes the project apart: deletes .dvc with its cache, .dvcignore, and every dvc.yaml, dvc.lock and .dvc file.

The data in the workspace stays; what is only in the cache is lost. A cache outside of .dvc is left alone. Asks first.
"""

import json
from argparse import Namespace

from offbranch.api.project import root
from offbranch.api.project_destroy import cache_inside, destroy
from offbranch.base.errors import ExitCode, OffbranchError, UsageError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob destroy -f", "without asking"),)


def add_arguments(parser: Parser) -> None:
    parser.add_flag("-f", "--force", help="do not ask")
    add_json(parser, "what was deleted")


def run(args: Namespace, console: Console) -> int:
    session = session_of(console)
    top = root(session)
    if not args.force:
        cache = cache_inside(session)
        what = "its pipelines and its configuration" + (
            f", and the cache '{cache}' with all data in it" if cache else ""
        )
        if not console.can_ask():
            raise UsageError(f"this would delete the project in '{top}': {what}", hint="ob destroy -f does not ask")
        console.warn(f"this deletes the project in '{top}': {what}")
        if not console.ask("Are you sure you want to continue? [y/n]"):
            raise OffbranchError("nothing was deleted")
    done = destroy(session)
    if args.json:
        console.data(json.dumps({"root": done.root, "files": list(done.files), "kept_cache": done.cache}))
        return ExitCode.DONE
    console.message(f"'{done.root}' is no project any more; the data in it is untouched.")
    if done.cache is not None:
        console.hint(f"the cache '{done.cache}' is not part of the project and was left alone")
    return ExitCode.DONE
