"""Writes one Markdown page of what became of metrics, parameters and curves, for the comment of a pull or merge request.

Without arguments the workspace is compared with the branch that the request goes to, as GitHub Actions and GitLab CI
name it, or else with HEAD. A change is called better or worse only if you say which way a metric should go.
"""

import json
from argparse import Namespace

from offbranch.api.report import PlotMode, make_report, write_report
from offbranch.api.session import Session
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, add_precision
from offbranch.cli.parser import Parser, one_of, whole_number
from offbranch.views.report import report_to_json
from offbranch.views.report_collect import ReportOptions
from offbranch.views.report_markdown import GITHUB_LIMIT, render_report

EXAMPLES = (
    ("ob report", "the workspace against HEAD, or in a CI against the target branch"),
    ("ob report wide deep --against main", "two experiments against main"),
    ("ob report --higher-is-better 'acc*' --lower-is-better loss", "say what is an improvement"),
    ("ob report --out report.md && gh pr comment --body-file report.md", "as a comment"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "revisions", nargs="*", metavar="exp", help="experiments or commits; the workspace if none is given"
    )
    parser.add_argument(
        "--against", metavar="REV", help="what to compare with; the target branch in a CI, else HEAD, if not given"
    )
    parser.add_argument("--title", metavar="TEXT", help="the heading")
    _add_list(
        parser, "--higher-is-better", "metrics that are better when higher, separated by commas; * stands for any text"
    )
    _add_list(parser, "--lower-is-better", "the same for metrics that are better when lower")
    parser.add_flag("--all", help="show parameters that are the same, too")
    parser.add_argument("-o", "--out", metavar="FILE", help="write the page there instead of printing it")
    parser.add_argument(
        "--max-size",
        type=whole_number,
        metavar="N",
        help="leave out what does not fit into N characters, and say so; 65536, what GitHub takes, if not given; 0 for no"
        " limit",
    )
    parser.add_argument(
        "--plots",
        type=one_of(*(mode.value for mode in PlotMode)),
        default=PlotMode.MERMAID.value,
        metavar="HOW",
        help="'mermaid': curves as text, which GitHub and GitLab draw (as if not given); 'files': images beside FILE, shown"
        " where both are committed or published together; 'embed': images inside the page, which GitHub and GitLab do not"
        " show, but editors do; 'none'",
    )
    add_precision(parser)
    add_json(parser, "the values and their differences")


def run(args: Namespace, console: Console) -> int:
    if (args.max_size or 0) < 0:
        raise UsageError("--max-size cannot be negative", hint="0 means no limit")
    session = Session(start=console.start, environment=console.environment, reporter=console)
    options = ReportOptions(
        revisions=tuple(args.revisions),
        title=args.title,
        all_params=args.all,
        higher=_names(args.higher_is_better),
        lower=_names(args.lower_is_better),
    )
    mode = PlotMode(args.plots)
    found = make_report(options, session, against=args.against, plots=mode, out=args.out)
    if args.json:
        text = json.dumps(report_to_json(found), default=str) + "\n"
    else:
        # A page with images inside is for no comment.
        limit = (None if mode is PlotMode.EMBED else GITHUB_LIMIT) if args.max_size is None else args.max_size or None
        text = render_report(found, precision=args.precision, max_size=limit)
    if args.out is None:
        console.data(text)
    else:
        console.message(f"The report is in '{write_report(text, args.out, session)}'.")
    return ExitCode.DONE


def _add_list(parser: Parser, name: str, help: str) -> None:
    parser.add_argument(name, action="append", default=[], metavar="NAMES", help=help)


def _names(texts: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())
