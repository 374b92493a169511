"""Shows which stages and data are not up to date: what differs from what dvc.lock and .dvc files record.

Prints nothing but one sentence when everything is up to date. With -v each stage says in sentences why
it would run. Nothing is changed.
"""

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.api.stages import StageReport, status
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_recursive, add_targets, add_with_deps
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.sessions import session_of
from offbranch.cli.status_data import shown_address, status_data, status_lines

EXAMPLES = (
    ("ob status", "everything that changed"),
    ("ob status -v train", "why 'train' would run"),
    ("ob status -c", "what the data remote lacks, and what the cache lacks"),
    ("ob status -q || ob repro", "exit code 1 if something changed"),
)
_OF_REMOTES = ("cloud", "remote", "all_branches", "all_tags", "all_commits")


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "stage, .dvc file, output or directory; everything if not given")
    parser.add_argument("-j", "--jobs", type=whole_number, metavar="N", help="with -c: questions at a time")
    parser.add_flag("-c", "--cloud", help="compare the cache with the data remote: what is to be pushed or fetched")
    parser.add_argument("-r", "--remote", metavar="NAME", help="compare with this data remote")
    parser.add_flag("-a", "--all-branches", help="compare the data of all branches too")
    parser.add_flag("-T", "--all-tags", help="compare the data of all tags too")
    parser.add_flag("-A", "--all-commits", help="compare the data of every commit too")
    add_with_deps(parser)
    add_recursive(parser)
    add_json(parser, "what changed")
    parser.add_flag("--no-updates", help="do not ask other repositories for newer versions of imports")


def run(args: Namespace, console: Console) -> int:
    if any(getattr(args, name) for name in _OF_REMOTES):
        return int(load("offbranch.cli.remote_status:compare")(args, console))
    reports = status(
        args.targets,
        session_of(console),
        with_deps=args.with_deps,
        recursive=args.recursive,
        updates=not args.no_updates,
    )
    is_changed = any(report.status.is_changed for report in reports)
    if console.verbosity.quiet and not args.json:
        return ExitCode.FAILED if is_changed else ExitCode.DONE
    for report in reports:
        if report.stage.frozen:
            console.warn(f"'{report.stage.address}' is frozen, so changes of what it reads are not shown")
    data = {shown_address(report.stage, report.cwd): status_data(report) for report in reports}
    if args.json:
        console.data(json.dumps(data))
    elif not is_changed:
        console.message("Data and pipelines are up to date.")
    else:
        console.data("\n".join(_text(reports, data, console.verbosity.level)))
        console.hint(
            "'ob repro' brings it up to date" + ("" if console.verbosity.level else "; 'ob status -v' says why")
        )
    return ExitCode.FAILED if is_changed and console.verbosity.quiet else ExitCode.DONE


def _text(reports: tuple[StageReport, ...], data: Mapping[str, Any], level: int) -> Iterator[str]:
    for report, (address, changes) in zip(reports, data.items(), strict=True):
        yield f"{address}:"
        yield from status_lines(changes)
        if level:
            yield from (f"\tbecause {reason.text}" for reason in report.reasons)
