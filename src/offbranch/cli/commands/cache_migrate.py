"""Brings the objects that DVC 2 left in the cache into the layout of DVC 3. The old ones stay where they are.

With --dvc-files the entries of DVC 2 in .dvc files and dvc.lock are written in the form of DVC 3 as well; data whose content
is not in the cache keeps its entry.
"""

import json
from argparse import Namespace

from offbranch.api.migrate import migrate
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob cache migrate --dry", "what there is to do"),
    ("ob cache migrate --dvc-files", "objects and entries"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_flag("--dvc-files", help="also write the entries in .dvc files and dvc.lock in the form of DVC 3")
    parser.add_flag("--dry", help="only say what would be done")
    add_json(parser, "what was done")


def run(args: Namespace, console: Console) -> int:
    done = migrate(session_of(console), data_files=args.dvc_files, dry=args.dry)
    if args.json:
        facts = {"old_objects": done.n_old, "new_objects": done.n_new, "files": list(done.files)}
        console.data(json.dumps({**facts, "left": [{"file": file, "path": path} for file, path in done.left]}))
        return ExitCode.DONE
    files = "1 file" if done.n_new == 1 else f"{done.n_new} files"
    if args.dry:
        console.message(f"{files} would be migrated to the cache of DVC 3.")
    else:
        console.message(f"Migrated {files} to the cache of DVC 3.")
    for file in done.files:
        console.message(f"{'Would update' if args.dry else 'Updated'} '{file}'.")
    for file, path in done.left:
        console.warn(f"'{path}' in '{file}' keeps its entry: the content is not in the cache")
    if not args.dry:
        say_what_to_track(done.files, console)
    return ExitCode.DONE
