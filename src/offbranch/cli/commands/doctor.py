"""Examines the project and this machine: versions, configuration, Git, cache, links, locks, pipelines, data remotes.

Each finding is ok, a warning or a problem, the latter two with the way out. Changes nothing. Exits with 1 if there is a
problem. Safe to show to others: no secret is printed.
"""

import json
from argparse import Namespace
from collections.abc import Mapping

from offbranch.api.finding import Finding, Health
from offbranch.api.self_check import doctor
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.lines import Style
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of

EXAMPLES = (
    ("ob doctor", "everything"),
    ("ob doctor -q", "only warnings and problems"),
)
_STYLES: Mapping[Health, Style] = {Health.OK: Style.GOOD, Health.WARNING: Style.CARE, Health.PROBLEM: Style.BAD}
_WIDTH = max(len(health.value) for health in Health)


def add_arguments(parser: Parser) -> None:
    add_json(parser, "the findings")


def run(args: Namespace, console: Console) -> int:
    findings = doctor(session_of(console))
    counts = {health: sum(finding.health is health for finding in findings) for health in Health}
    if args.json:
        console.data(json.dumps([_data(finding) for finding in findings]))
    else:
        width = max(len(finding.area) for finding in findings)
        for finding in findings:
            if finding.health is not Health.OK or not console.verbosity.quiet:
                console.data(_text(finding, width, console))
        console.message(f"\n{_summary(counts)}")
    return ExitCode.FAILED if counts[Health.PROBLEM] else ExitCode.DONE


def _text(finding: Finding, width: int, console: Console) -> str:
    mark = console.paint(f"{finding.health.value:<{_WIDTH}}", _STYLES[finding.health])
    text = f"{mark}  {finding.area:<{width}}  {finding.text}"
    return text if finding.hint is None else f"{text}\n{'':<{_WIDTH + width + 4}}-> {finding.hint}"


def _summary(counts: Mapping[Health, int]) -> str:
    problems, warnings = counts[Health.PROBLEM], counts[Health.WARNING]
    if not problems and not warnings:
        return "All is well."
    named = ((problems, "problem"), (warnings, "warning"))
    parts = [f"{number} {word if number == 1 else f'{word}s'}" for number, word in named if number]
    return f"{' and '.join(parts)}."


def _data(finding: Finding) -> dict[str, object]:
    return {"area": finding.area, "health": finding.health.value, "text": finding.text, "hint": finding.hint}
