"""Removes data from the cache that nothing uses any more. One scope at least says what is kept; each keeps the workspace.

In any case the data of HEAD, of what is staged, of attempts, of queued tasks and of what 'ob exp apply' set aside
stays. Experiments are only kept with --all-experiments. Nothing is removed while anything works on the project, or
where it is not known what a revision uses. Without -f you are asked.
"""

import json
from argparse import Namespace
from collections.abc import Iterator

from offbranch.api.care import gc
from offbranch.base.errors import ConflictError, ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.progress import size_text
from offbranch.cli.sessions import session_of
from offbranch.experiments.collect_garbage import Collection, GcPart
from offbranch.experiments.kept import GcScope

EXAMPLES = (
    ("ob gc -w --dry -v", "what would go if only the workspace were kept"),
    ("ob gc -a -T --all-experiments", "keep branches, tags and experiments"),
    ("ob gc -A --all-experiments -c -r store", "at the data remote 'store' too"),
    ("ob gc -w -p ../other ../third", "the cache is shared with two other projects"),
)
_SHOWN_NAMES = 5


def add_arguments(parser: Parser) -> None:
    parser.add_flag("-w", "--workspace", help="keep the data of the workspace")
    parser.add_flag("-a", "--all-branches", help="keep the data of the tips of all branches")
    parser.add_flag("-T", "--all-tags", help="keep the data of all tags")
    parser.add_flag("-A", "--all-commits", help="keep the data of every commit of branches and tags")
    parser.add_flag("--all-experiments", help="keep the data of all experiments")
    parser.add_argument("--rev", metavar="COMMIT", help="keep the data of COMMIT")
    parser.add_argument("--date", metavar="DATE", help="keep the data of commits made on DATE (2026-01-31) or later")
    parser.add_argument(
        "-n",
        "--num",
        type=whole_number,
        metavar="N",
        help="keep N commits, going back from --rev or the branches by first parents; negative: all",
    )
    parser.add_flag("-c", "--cloud", help="remove at the data remote too: be sure that no other clone needs it")
    parser.add_argument("-r", "--remote", metavar="NAME", help="the data remote, in place of the default one")
    parser.add_flag("--not-in-remote", help="of what is used keep only what the data remote lacks")
    parser.add_argument(
        "-p",
        "--projects",
        nargs="*",
        default=[],
        metavar="PATH",
        help="keep what other projects use that share the cache",
    )
    parser.add_flag("--skip-failed", help="go on without revisions that cannot be understood; their data may go")
    parser.add_flag("--dry", help="show what would be removed; with -v each object")
    parser.add_flag("-f", "--force", help="do not ask")
    parser.add_argument("-j", "--jobs", type=whole_number, metavar="N", help="requests to the data remote at a time")
    add_json(parser, "what was removed")


def run(args: Namespace, console: Console) -> int:
    def confirm(collection: Collection) -> bool:
        _tell_losing(collection, console)
        for line in _lines(collection, "Would remove"):
            console.aside(line)
        if not console.can_ask():
            raise ConflictError(
                "nothing was removed: there is no terminal to confirm it on",
                hint="look with --dry, then repeat with -f",
            )
        return console.ask("Remove this? [y/N]")

    scope = _scope_of(args)
    collection = gc(scope, session_of(console), dry=args.dry, confirm=None if args.force else confirm)
    if collection is None:
        console.message("Nothing was removed.")
        return ExitCode.FAILED
    if args.force or args.dry:
        _tell_losing(collection, console)
    if args.json:
        console.data(json.dumps(_data(collection, args)))
        return ExitCode.DONE
    if args.dry or console.verbosity.level:
        for path in _paths(collection) if console.verbosity.level else ():
            console.data(path)
    for line in _lines(collection, "Would remove" if args.dry else "Removed"):
        console.message(line)
    return ExitCode.DONE


def _scope_of(args: Namespace) -> GcScope:
    return GcScope(
        workspace=args.workspace,
        all_branches=args.all_branches,
        all_tags=args.all_tags,
        all_commits=args.all_commits,
        all_experiments=args.all_experiments,
        revs=(args.rev,) if args.rev is not None else (),
        num=args.num,
        since=args.date,
        cloud=args.cloud,
        remote=args.remote,
        not_in_remote=args.not_in_remote,
        projects=tuple(args.projects),
        skip_failed=args.skip_failed,
        jobs=args.jobs,
    )


def _tell_losing(collection: Collection, console: Console) -> None:
    names = collection.losing
    if not names:
        return
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN_NAMES]) + (" …" if len(names) > _SHOWN_NAMES else "")
    noun = "experiment loses" if len(names) == 1 else "experiments lose"
    console.warn(f"{len(names)} {noun} data: {shown}", "--all-experiments keeps it")


def _lines(collection: Collection, verb: str) -> Iterator[str]:
    freed = 0
    for part in collection.parts:
        count = len(part.plan.ids)
        freed += part.plan.size_bytes
        if count:
            yield f"{verb} {count} {'object' if count == 1 else 'objects'} from {_place(part)}."
        elif not (part.setting is not None and part.is_legacy):
            yield f"No unused {_kind(part)} to remove{'' if part.setting is None else ' from remote'}."
    for paths, what in ((collection.temporaries, "unfinished"), (collection.set_aside, "set-aside corrupt")):
        if paths:
            yield f"{verb} {len(paths)} {what} {'file' if len(paths) == 1 else 'files'}."
    if collection.n_objects:
        yield f"{'This frees' if verb == 'Removed' else 'That would free'} {size_text(freed)}."


def _kind(part: GcPart) -> str:
    if part.setting is not None:
        return "cache"
    return "'legacy' cache" if part.is_legacy else "'repo' cache"


def _place(part: GcPart) -> str:
    if part.setting is not None:
        return f"{'legacy ' if part.is_legacy else ''}remote"
    return "legacy cache" if part.is_legacy else "repo cache"


def _paths(collection: Collection) -> Iterator[str]:
    for part in collection.parts:
        where = _place(part) if part.setting is None else part.setting.label
        for id in part.plan.ids:
            yield f"{where}: {id}"
    yield from collection.temporaries
    yield from collection.set_aside


def _data(collection: Collection, args: Namespace) -> dict[str, object]:
    return {
        "dry": args.dry,
        "removed": [
            {
                "place": "cache" if part.setting is None else "remote",
                "remote": part.setting.name if part.setting is not None else None,
                "legacy": part.is_legacy,
                "objects": list(part.plan.ids),
                "bytes": part.plan.size_bytes,
                "kept": part.plan.n_kept,
            }
            for part in collection.parts
        ],
        "unfinished": list(collection.temporaries),
        "set_aside": list(collection.set_aside),
        "experiments_losing_data": list(collection.losing),
        "skipped": list(collection.skipped),
    }
