"""Shows the workspace, commits and their experiments as a table: parameters, metrics and what they depend on.

Attempts that failed or were interrupted are listed too, with what they had measured before they ended. Without
options, the experiments that started from HEAD are shown, and those whose baseline is on no branch any more because
history was rewritten.

A condition of --where is about metrics and parameters (also `params.yaml:lr`, or in backticks), and about `name`, `rev`,
`state`, `baseline`, `created`, `tag`, `note` and `checkpoints` (how many): numbers and 'texts' with == != < <= > >= in,
+ - * / // % **, joined by and, or, not. A comparison with a value that an experiment does not have is false; `acc is
None` asks for that.
"""

import json
import re
import time
from argparse import Namespace

from offbranch.api.show import exp_show, exp_table
from offbranch.base.errors import ExitCode
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.cli.console import Console
from offbranch.cli.options import (
    add_hide_rewritten,
    add_json,
    add_precision,
    add_revisions,
    add_sort_order,
    refuse_together,
)
from offbranch.cli.pager import show_in_pager
from offbranch.cli.parser import Parser, whole_number
from offbranch.cli.sessions import session_of
from offbranch.views.options import ShowOptions
from offbranch.views.table import BASELINE, Table

EXAMPLES = (
    ("ob exp show", "experiments that started from HEAD"),
    ("ob exp show -A --only-changed", "all, and only columns that differ"),
    ("ob exp show --sort-by accuracy --sort-order desc", "the best first"),
    ("ob exp show -A --best 5 --by accuracy", "the five best of all; --minimize for a loss"),
    ("ob exp show -A --where 'accuracy > 0.9 and train.lr < 0.01'", "what fulfils a condition"),
    ("ob exp show --checkpoints", "every checkpoint of a run, with its metrics"),
    ("ob exp show --follow", "kept up to date while experiments run"),
    ("ob exp show --csv > experiments.csv", "for a spreadsheet"),
)
_LOW_IS_GOOD = frozenset("loss err error mae mse rmse mape perplexity ppl fid wer cer nll".split())
_FLAGS = (
    "all_branches",
    "all_tags",
    "all_commits",
    "only_changed",
    "param_deps",
    "sha",
    "hide_failed",
    "hide_queued",
    "hide_workspace",
    "hide_rewritten",
    "queued",
    "minimize",
    "checkpoints",
    "force",
)


def add_arguments(parser: Parser) -> None:
    add_revisions(parser, "show")
    parser.add_flag("-a", "--all-branches", help="show the experiments of the tip of every branch")
    parser.add_flag("-T", "--all-tags", help="show the experiments of every tag")
    parser.add_flag("--no-pager", help="do not use a pager for a long table")
    parser.add_flag("--no-fetch", help="for editors that say it to DVC: nothing is fetched anyway")
    parser.add_flag("--only-changed", help="only columns that are not the same in every row")
    _add_list(parser, "--drop", "REGEX", "leave out columns whose name begins like this; may be repeated")
    _add_list(parser, "--keep", "REGEX", "keep such columns whatever else is said; may be repeated")
    _add_list(parser, "--include-params", "NAMES", "only these parameters, separated by commas")
    _add_list(parser, "--include-metrics", "NAMES", "only these metrics, separated by commas")
    parser.add_flag("--param-deps", help="only parameters that a stage depends on")
    parser.add_argument("--sort-by", metavar="COLUMN", help="sort experiments by a metric or parameter")
    add_sort_order(parser)
    parser.add_flag("--sha", help="commit ids instead of the names of branches and tags")
    parser.add_flag("--hide-failed", help="leave out attempts that failed")
    parser.add_flag("--hide-queued", help="leave out what is queued")
    parser.add_flag("--hide-workspace", help="leave out the row of the workspace")
    add_hide_rewritten(parser)
    parser.add_flag("--queued", help="only what is running or queued")
    parser.add_argument("--where", metavar="CONDITION", help="only experiments for which it holds, e.g. 'acc > 0.9'")
    _add_list(parser, "--tag", "TAG", "only experiments that have this tag; may be repeated")
    parser.add_argument("--best", type=whole_number, metavar="N", help="only the N best of all that are shown")
    parser.add_argument("--by", metavar="COLUMN", help="what --best is about; the highest is the best")
    parser.add_flag("--minimize", help="with --best: the lowest is the best")
    parser.add_flag("--checkpoints", help="a row for each checkpoint, with its number, step and metrics")
    parser.add_flag("--follow", help="show it again whenever it changes, until Ctrl-C")
    add_json(parser, "everything, in the structure of DVC,")
    parser.add_flag("--csv", help="print comma-separated values, numbers in full")
    parser.add_flag("--md", help="print a Markdown table")
    add_precision(parser)
    parser.add_flag("-f", "--force", help="read every commit anew instead of using what was remembered")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "json", "csv", "md")
    _warn_of_loss(args, console)
    flags = {name: getattr(args, name) for name in _FLAGS}
    options = ShowOptions(
        revs=tuple(args.rev),
        num=args.num,
        drop=tuple(args.drop),
        keep=tuple(args.keep),
        include_params=_names(args.include_params),
        include_metrics=_names(args.include_metrics),
        sort_by=args.sort_by,
        sort_order=args.sort_order,
        precision=args.precision,
        where=args.where,
        tags=tuple(args.tag),
        best=args.best,
        by=args.by,
        counts=not (args.csv or args.md or args.json),
        **flags,
    )
    if args.follow:
        render = None if args.json else lambda table: _text(table, args, console)
        options = replace(options, whole_chains=args.json or args.checkpoints)
        waiting = load("offbranch.cli.watching:Waiting")(console)
        views = load("offbranch.api.show_follow:follow_experiments")(options, session_of(console), sleep=waiting)
        load("offbranch.cli.exp_follow:show_changes")(
            views, console, render, waiting, in_place=not (args.csv or args.md)
        )
        return ExitCode.DONE
    if args.json:
        states = exp_show(options, start=console.start, environment=console.environment, reporter=console)
        console.data(json.dumps(states, default=str))
        return ExitCode.DONE
    table = exp_table(options, start=console.start, environment=console.environment, reporter=console)
    if console.is_interactive and not (args.csv or args.md):
        text = _text(table, args, console)
        show_in_pager(text, console, wanted=not args.no_pager, n_sentences=len(table.notes))
    else:
        console.data(_text(table, args, console))
    if options.has_filter and all(row.typ == BASELINE for row in table.rows):
        console.hint("no experiment is left by --where, --tag and --best; 'ob exp show -A' shows all")
    return ExitCode.DONE


def _text(table: Table, args: Namespace, console: Console) -> str:
    now_s, precision = time.time(), args.precision
    if args.csv:
        text: str = load("offbranch.views.csv:render_csv")(table, precision=precision)
    elif args.md:
        text = load("offbranch.views.markdown:render_markdown")(table, precision=precision, now_s=now_s)
    elif console.is_interactive:
        color = console.has_color(console.out)
        text = load("offbranch.views.terminal:render_terminal")(table, precision=precision, now_s=now_s, color=color)
    else:
        text = load("offbranch.views.text:render_text")(table, precision=precision, now_s=now_s)
    return text


def _warn_of_loss(args: Namespace, console: Console) -> None:
    """The highest is the best, unless told otherwise: worth a word where the name says that it is not."""
    words = set(re.split(r"[^a-z0-9]+", (args.by or "").lower()))
    if args.best is not None and not args.minimize and words & _LOW_IS_GOOD:
        console.hint(f"the highest '{args.by}' is taken for the best; --minimize takes the lowest")


def _add_list(parser: Parser, name: str, metavar: str, help: str) -> None:
    parser.add_argument(name, action="append", default=[], metavar=metavar, help=help)


def _names(texts: list[str]) -> tuple[str, ...]:
    return tuple(name for text in texts for name in text.split(",") if name)
