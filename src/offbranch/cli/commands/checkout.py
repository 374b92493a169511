"""Makes data and cached outputs in the workspace what dvc.lock and .dvc files record.

Use it after 'git switch' or 'git checkout'. Changes that are in no cache are never thrown away without -f.
Prints A (added), M (modified) or D (deleted) and the path.
"""

import json
from argparse import Namespace

from offbranch.api.outputs import checkout
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_recursive, add_targets, add_with_deps
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob checkout", "everything"),
    ("ob checkout data/raw.dvc", "one .dvc file"),
    ("ob checkout -f model.bin", "and throw away my changes of it"),
)


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "stage, .dvc file or output; everything if not given")
    parser.add_flag("--summary", help="print how many paths changed, not which")
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
        console.data(json.dumps({**{what: list(paths) for what, paths in changes.items()}, "missing": done.missing}))
        return ExitCode.DONE
    if args.summary:
        console.data(summary({what: len(paths) for what, paths in changes.items()}))
    else:
        for what, paths in changes.items():
            for path in paths:
                console.data(f"{what[0].upper()}\t{path}")
    if done.missing:
        console.warn(f"not in the cache: {', '.join(done.missing)}", "make them again with 'ob repro'")
    return ExitCode.DONE


def summary(counts: dict[str, int]) -> str:
    """Returns how many paths changed, in one sentence."""
    parts = [f"{n} {'file' if n == 1 else 'files'} {what}" for what, n in counts.items() if n]
    if not parts:
        return "No changes."
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
