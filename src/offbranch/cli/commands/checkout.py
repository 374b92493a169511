"""Makes data and cached outputs in the workspace what dvc.lock and .dvc files record.

Use it after 'git switch' or 'git checkout'. Changes that are in no cache are never thrown away without -f.
A target inside a tracked directory touches that part only. Without targets, outputs that no stage and no .dvc
file defines any more are removed too, if they are as ob left them. Every object is checked against its name
before it is used. Prints A (added), M (modified) or D (deleted) and the path. If something is missing or
corrupt in the cache the rest is done all the same, and the exit code is 1.
"""

import json
import os
from argparse import Namespace

from offbranch.api.outputs import checkout
from offbranch.base.errors import ExitCode
from offbranch.base.paths import AbsPath, join
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_recursive, add_targets, add_with_deps
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.project import find_root

EXAMPLES = (
    ("ob checkout", "everything"),
    ("ob checkout data/raw.dvc", "one .dvc file"),
    ("ob checkout data/images/cats", "a part of a tracked directory"),
    ("ob checkout -f model.bin", "and throw away my changes of it"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "stage, .dvc file, output or path inside one; everything if not given")
    parser.add_flag("--summary", help="print how many files changed, not which paths")
    add_with_deps(parser)
    add_recursive(parser)
    parser.add_flag("-f", "--force", help="throw away changes that are in no cache")
    parser.add_flag("--relink", help="make the links or copies anew, as cache.type says now")
    parser.add_flag("--allow-missing", help="no failure if content is not in the cache")
    add_json(parser, "what changed")


def run(args: Namespace, console: Console) -> int:
    done = checkout(
        args.targets,
        session_of(console),
        force=args.force,
        relink=args.relink,
        with_deps=args.with_deps,
        recursive=args.recursive,
        allow_missing=args.allow_missing,
    )
    changes = {"modified": done.modified, "added": done.added, "deleted": done.deleted}
    if args.json:
        console.data(json.dumps({**changes, "missing": done.missing, "corrupt": done.corrupt}))
    elif args.summary:
        console.data(summary({"modified": done.n_modified, "added": done.n_added, "deleted": done.n_deleted}))
    else:
        root = find_root(console.start) or console.start
        for what, paths in changes.items():
            for path in paths:
                console.data(f"{what[0].upper()}\t{_seen_from_here(path, root, console.start)}")
    if args.relink and not args.json:
        console.message(f"Relinked {done.n_relinked} {'file' if done.n_relinked == 1 else 'files'}.")
    if done.error is not None:
        raise done.error
    if done.missing:
        console.warn(f"not in the cache: {', '.join(done.missing)}", "make them again with 'ob repro'")
    return ExitCode.DONE


def _seen_from_here(path: str, root: AbsPath, start: AbsPath) -> str:
    here = os.path.relpath(join(root, path.rstrip("/")), start)
    return f"{here}/" if path.endswith("/") else here


def summary(counts: dict[str, int]) -> str:
    """Returns how many paths changed, in one sentence."""
    parts = [f"{n} {'file' if n == 1 else 'files'} {what}" for what, n in counts.items() if n]
    if not parts:
        return "No changes."
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
