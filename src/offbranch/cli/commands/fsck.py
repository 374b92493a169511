"""Checks the cache: every object against its name, and what is recorded of the workspace against the cache.

Reads every byte and changes nothing. With --repair a corrupt object is moved to 'corrupt' in the cache, never destroyed, and
a sound copy takes its place: from a file of the workspace that has its content, or from the data remote. Files of the
workspace that were links to it are made again. The exit code is 1 as long as a problem is left.
"""

import json
from argparse import Namespace
from collections.abc import Iterator

from offbranch.api.care import fsck
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_targets
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.progress import size_text
from offbranch.cli.sessions import session_of
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.fsck import NOTES, Finding, FsckOptions, FsckReport, Kind

EXAMPLES = (
    ("ob fsck", "the whole cache, and what the workspace records"),
    ("ob fsck -A", "what any commit records too"),
    ("ob fsck data/images", "only what one output consists of"),
    ("ob fsck --repair -r store", "bring back what is damaged, from the data remote 'store'"),
)
_SHOWN_PATHS = 3
_SHOWN = 20
_SENTENCES = {
    Kind.CORRUPT: "the object {id} is corrupt",
    Kind.MALFORMED: "the directory object {id} cannot be understood",
    Kind.UNREADABLE: "{id} cannot be read",
    Kind.MISSING: "the object {id} is missing",
    Kind.RUN_CACHE: "the run-cache entry {id} is not what its name says",
    Kind.PIPELINE: "what {id} uses is not known",
    Kind.WRITABLE: "the object {id} can be written to",
    Kind.UNFINISHED: "{id} was left by a process that was killed",
    Kind.STRANGER: "{id} is no object",
    Kind.SET_ASIDE: "{id} was set aside as corrupt",
}
_WAYS_OUT = {
    Kind.CORRUPT: "ob fsck --repair gets a sound copy",
    Kind.MALFORMED: "make it again with 'ob repro' or 'ob commit'",
    Kind.UNREADABLE: "check its permissions",
    Kind.MISSING: "ob fetch; or 'ob repro' makes it again",
    Kind.RUN_CACHE: "ob fsck --repair moves it out of the way; the stage runs again",
    Kind.PIPELINE: "correct it, or look into an older commit",
    Kind.WRITABLE: "ob fsck --repair protects it",
    Kind.UNFINISHED: "ob gc removes it after a day",
    Kind.STRANGER: "look what it is; nothing uses it",
    Kind.SET_ASIDE: "copy what you need of it; ob gc removes it after a month",
}


def add_arguments(parser: Parser) -> None:
    add_targets(parser, "stage, .dvc file, output, or a path inside a tracked directory; the whole cache if not given")
    parser.add_flag("--repair", help="bring back what is damaged or missing")
    parser.add_argument("-r", "--remote", metavar="NAME", help="data remote to get sound copies from")
    parser.add_flag("-a", "--all-branches", help="check what all branches record too")
    parser.add_flag("-T", "--all-tags", help="check what all tags record too")
    parser.add_flag("-A", "--all-commits", help="check what every commit records too")
    parser.add_argument("-j", "--jobs", type=whole_number, metavar="N", help="large objects hashed at a time")
    add_json(parser, "everything that was found")


def run(args: Namespace, console: Console) -> int:
    scope = DataScope(
        targets=tuple(args.targets),
        all_branches=args.all_branches,
        all_tags=args.all_tags,
        all_commits=args.all_commits,
    )
    options = FsckOptions(repair=args.repair, remote=args.remote, jobs=args.jobs)
    report = fsck(scope, session_of(console), options)
    problems = [finding for finding in report.findings if finding.is_problem]
    if args.json:
        console.data(json.dumps(_data(report)))
    else:
        for line in _lines(report, console.verbosity.level):
            console.data(line)
        console.message(_summary(report, len(problems)))
    return ExitCode.FAILED if problems else ExitCode.DONE


def _lines(report: FsckReport, level: int) -> Iterator[str]:
    shown = [finding for finding in report.findings if level or finding.kind not in NOTES or finding.outcome]
    limit = len(shown) if level else _SHOWN
    for finding in shown[:limit]:
        yield from _of_finding(finding, level)
    if len(shown) > limit:
        yield f"… and {len(shown) - limit} more (-v shows all)"


def _of_finding(finding: Finding, level: int) -> Iterator[str]:
    sentence = _SENTENCES[finding.kind].format(id=finding.id or "the workspace")
    yield f"{sentence}{f': {finding.detail}' if finding.detail else ''}"
    if finding.users:
        yield f"  used by {_some(finding.users, level)}"
    if finding.links and not finding.outcome:
        yield f"  shown by {_some(finding.links, level)} ({'a link' if len(finding.links) == 1 else 'links'} to it)"
    if finding.outcome:
        yield f"  {finding.outcome}"
    if not finding.repaired:
        yield f"  way out: {way_out(finding)}"


def way_out(finding: Finding) -> str:
    """Returns what to do about a finding."""
    if finding.outcome and finding.kind in (Kind.CORRUPT, Kind.MALFORMED, Kind.MISSING):
        return "push it from a clone that has it, or make it again with 'ob repro' or 'ob add'"
    return _WAYS_OUT[finding.kind]


def _some(names: tuple[str, ...], level: int) -> str:
    if level or len(names) <= _SHOWN_PATHS:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN_PATHS])} and {len(names) - _SHOWN_PATHS} more"


def _summary(report: FsckReport, n_problems: int) -> str:
    checked = f"{report.n_objects} {'object' if report.n_objects == 1 else 'objects'} checked"
    n_notes = sum(finding.kind in NOTES and not finding.repaired for finding in report.findings)
    n_repaired = sum(finding.repaired for finding in report.findings)
    parts = [f"{checked} ({size_text(report.size_bytes)})"]
    parts += [f"{n_repaired} repaired"] if n_repaired else []
    if n_problems:
        parts.append(f"{n_problems} {'problem' if n_problems == 1 else 'problems'}{' left' if n_repaired else ''}")
    else:
        parts.append("everything is sound")
    parts += [f"{n_notes} {'note' if n_notes == 1 else 'notes'}"] if n_notes else []
    return ", ".join(parts) + "."


def _data(report: FsckReport) -> dict[str, object]:
    return {
        "objects": report.n_objects,
        "bytes": report.size_bytes,
        "outputs": report.n_outputs,
        "sound": not any(finding.is_problem for finding in report.findings),
        "findings": [
            {
                "kind": finding.kind.value,
                "is_problem": finding.is_problem,
                "object": finding.id,
                "path": finding.path,
                "legacy": finding.is_legacy,
                "users": list(finding.users),
                "links": list(finding.links),
                "detail": finding.detail,
                "outcome": finding.outcome,
                "repaired": finding.repaired,
                "way_out": None if finding.repaired else way_out(finding),
            }
            for finding in report.findings
        ],
    }
