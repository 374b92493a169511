"""Prints those of some paths that .dvcignore leaves out, and with -d the line that says so.

Exits with 0 if a pattern fits at least one of them, with 1 if none does.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Iterable

from offbranch.api.ignored import Checked, check_ignore
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob check-ignore -d data/tmp.log", "the file, line and pattern that leave it out"),
    ("ls | ob check-ignore --stdin", "which of these are left out"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="*", metavar="path", help="a path; it need not exist")
    parser.add_flag(
        "-d", "--details", help="print the pattern and where it stands, also one with '!' that keeps the path"
    )
    parser.add_flag("-n", "--non-matching", help="with -d: print the paths too that no pattern fits")
    parser.add_flag("--stdin", help="read the paths from standard input, one a line")
    add_json(parser, "every path with its pattern")


def run(args: Namespace, console: Console) -> int:
    if args.stdin == bool(args.targets):
        raise UsageError(
            "name the paths, or give --stdin, not both" if args.stdin else "name the paths, or give --stdin",
            hint="ob check-ignore --help",
        )
    if args.non_matching and not args.details:
        raise UsageError("--non-matching needs --details", hint="ob check-ignore -d -n ...")
    paths = _from_stdin() if args.stdin else args.targets
    checked = check_ignore(paths, session_of(console))
    fits = [one for one in checked if one.reason is not None and (one.reason.is_ignored or args.details)]
    if args.json:
        console.data(json.dumps([_data(one) for one in checked]))
    elif not console.verbosity.quiet:
        console.data("".join(f"{line}\n" for line in _lines(args, checked)))
    return ExitCode.DONE if fits else ExitCode.FAILED


def _lines(args: Namespace, checked: Iterable[Checked]) -> Iterable[str]:
    for one in checked:
        if one.reason is None:
            if args.non_matching:
                yield f"::\t{one.written}"
        elif args.details:
            place = f"{one.reason.file}:{one.reason.line}:" if one.reason.file else ":"
            yield f"{place}{one.reason.pattern}\t{one.written}"
        elif one.reason.is_ignored:
            yield one.written


def _data(one: Checked) -> dict[str, object]:
    if one.reason is None:
        return {"path": one.written, "ignored": False, "file": None, "line": None, "pattern": None}
    reason = one.reason
    return {
        "path": one.written,
        "ignored": reason.is_ignored,
        "file": reason.file or None,
        "line": reason.line or None,
        "pattern": reason.pattern,
    }


def _from_stdin() -> list[str]:
    return [line for line in sys.stdin.read().splitlines() if line]
