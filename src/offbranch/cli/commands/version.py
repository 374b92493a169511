"""Prints the version of ob, of Python and of the system, and where things are: what a report of a problem needs."""

import json
import os
import platform
import shutil
import sys
from argparse import Namespace

from offbranch import __version__
from offbranch.api.project import root
from offbranch.base.errors import ExitCode, NoProjectError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (("ob --version", "only the version of ob"),)


def add_arguments(parser: Parser) -> None:
    parser.add_flag("--short", help="only the version of ob")
    add_json(parser, "all of it")


def run(args: Namespace, console: Console) -> int:
    if args.short:
        console.data(__version__)
        return ExitCode.DONE
    facts = _facts(console)
    if args.json:
        console.data(json.dumps(facts))
        return ExitCode.DONE
    width = max(map(len, facts))
    for name, value in facts.items():
        console.data(f"{name:<{width}}  {value if value is not None else '-'}")
    return ExitCode.DONE


def _facts(console: Console) -> dict[str, str | None]:
    try:
        project: str | None = root(session_of(console))
    except NoProjectError:
        project = None
    return {
        "ob": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "program": sys.executable,
        "git": shutil.which("git", path=console.environment.all.get("PATH")),
        "project": project,
        "crash logs": os.path.join(console.environment.cache_dir, "crashes"),
    }
