"""Adds a stage to ./dvc.yaml: a command, what it reads and what it writes.

Options come before the command; everything after the first word of the command belongs to it. The rest of
dvc.yaml, comments included, stays as it is.
"""

from argparse import REMAINDER, Namespace
from collections.abc import Iterable
from typing import Any

from offbranch.api.pipeline import ReproRequest, repro
from offbranch.api.stage_edit import NewStage, add_stage
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.next_steps import say_what_to_track
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob stage add -n prepare -d raw.csv -o clean.csv python prepare.py", "a file made from another"),
    ("ob stage add -n train -p train -d clean.csv -o model.bin -M metrics.json python train.py", "with parameters"),
)
_PATHS = (
    ("-d", "--deps", "what it reads: file or directory; may be repeated"),
    ("-o", "--outs", "what it writes, kept in the cache; may be repeated"),
    ("-O", "--outs-no-cache", "what it writes, left to Git"),
    (None, "--outs-persist", "what it writes, not removed before it runs"),
    (None, "--outs-persist-no-cache", "the same, left to Git"),
    ("-m", "--metrics", "metrics file it writes, kept in the cache"),
    ("-M", "--metrics-no-cache", "metrics file it writes, left to Git"),
    (None, "--plots", "plot file it writes, kept in the cache"),
    (None, "--plots-no-cache", "plot file it writes, left to Git"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("-n", "--name", required=True, metavar="NAME", help="name of the stage")
    parser.add_flag("-f", "--force", help="replace a stage of this name")
    for short, long, help in _PATHS:
        names = (short, long) if short else (long,)
        parser.add_argument(*names, action="append", default=[], metavar="PATH", help=help)
    parser.add_argument(
        "-p",
        "--params",
        action="append",
        default=[],
        metavar="[FILE:]KEYS",
        help="parameters it reads, separated by commas (of params.yaml if no FILE is named); FILE: for a whole file",
    )
    parser.add_argument("-w", "--wdir", metavar="DIR", help="directory it runs in, which all paths are relative to")
    parser.add_flag("--always-changed", help="run it each time, changed or not")
    parser.add_argument("--desc", metavar="TEXT", help="what it does, for people")
    parser.add_flag("--run", help="run it at once")
    parser.add_argument(
        "command", nargs=REMAINDER, metavar="command", help="the command; quote what the shell shall see"
    )


def run(args: Namespace, console: Console) -> int:
    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not words:
        raise UsageError("ob stage add: the command is missing", hint="ob stage add -n NAME ... python train.py")
    session = session_of(console)
    file = add_stage(NewStage(name=args.name, definition=definition(args, words), force=args.force), session)
    console.message(f"Added stage '{args.name}' in '{file}'.")
    if args.run:
        result = repro(ReproRequest(targets=(args.name,)), session)
        say_what_to_track((file, *(path for done in result.stages for path in done.touched)), console)
        if result.error is not None:
            raise result.error
        return ExitCode.DONE
    say_what_to_track((file,), console)
    console.hint("'ob repro' or 'ob exp run' runs it")
    return ExitCode.DONE


def definition(args: Namespace, words: list[str]) -> dict[str, Any]:
    """Returns the stage as dvc.yaml has it."""
    no_cache, persist = {"cache": False}, {"persist": True}
    found: dict[str, Any] = {
        "desc": args.desc,
        "cmd": command_text(words),
        "wdir": args.wdir,
        "deps": sorted(set(args.deps)),
        "params": params(args.params),
        "outs": _outs(
            (args.outs, {}),
            (args.outs_no_cache, no_cache),
            (args.outs_persist, persist),
            (args.outs_persist_no_cache, no_cache | persist),
        ),
        "metrics": _outs((args.metrics, {}), (args.metrics_no_cache, no_cache)),
        "plots": _outs((args.plots, {}), (args.plots_no_cache, no_cache)),
        "always_changed": args.always_changed,
    }
    return {key: value for key, value in found.items() if value}


def command_text(words: list[str]) -> str:
    """Returns the command as one text; a word with blanks, which the user's shell took as one, is quoted again."""
    if len(words) == 1:
        return words[0]
    return " ".join(_quoted(word) if not word or any(char in word for char in " \t\n") else word for word in words)


def params(texts: Iterable[str]) -> list[Any]:
    """Returns `-p` values as dvc.yaml has them: keys of params.yaml first, then other files by name."""
    bare: set[str] = set()
    files: dict[str, set[str]] = {}
    for text in texts:
        file, colon, keys = text.rpartition(":")
        names = {key.strip() for key in keys.split(",")} - {""}
        if not colon or file == "params.yaml":
            bare |= names
        if colon and (file != "params.yaml" or not names):
            files.setdefault(file, set()).update(names)
    return [*sorted(bare), *({file: sorted(keys) or None} for file, keys in sorted(files.items()))]


def _outs(*groups: tuple[list[str], dict[str, bool]]) -> list[Any]:
    found: dict[str, dict[str, bool]] = {}
    for paths, options in groups:
        for path in dict.fromkeys(paths):
            if path in found:
                raise UsageError(f"the output '{path}' is given by two options", hint="name it once")
            found[path] = options
    return [{path: found[path]} if found[path] else path for path in sorted(found)]


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
