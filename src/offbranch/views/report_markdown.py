"""A `Report` as GitHub-flavoured Markdown for a comment; shortened, with a word about it, where a comment has a limit.

Names and texts of the project stand in code spans: nothing of them becomes markup, a link, or a mention of somebody.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from offbranch.base.records import replace
from offbranch.views.cells import DEFAULT_PRECISION, value_text
from offbranch.views.report import Report, ReportCell, ReportRow, differs
from offbranch.views.report_charts import legend_of, render_mermaid
from offbranch.views.report_collect import shown_revision

GITHUB_LIMIT: Final = 65_536
_MAX_TEXT: Final = 120
_MAX_NOTES: Final = 20
_MAX_NOTE: Final = 300
_TICKS = re.compile("`+")
_MARKS = {True: " ✔ better", False: " ✘ worse", None: ""}


def render_report(report: Report, *, precision: int | None = None, max_size: int | None = GITHUB_LIMIT) -> str:
    """Returns the whole text, ended by a line end.

    Args:
        report: What it says.
        precision: Significant digits of numbers; None for 5.
        max_size: Characters that it may have; None for any number. Plots are left out first, then rows from the end of the
            tables: what is the same before what differs, and parameters before metrics. The text says how many.
    """
    digits = DEFAULT_PRECISION if precision is None else precision
    text = _text(report, report, digits)
    if max_size is None or len(text) <= max_size:
        return text
    n_plots = _most(len(report.charts) + len(report.images), lambda n: len(_fewer(report, n, digits)) <= max_size)
    if n_plots is not None:
        return _fewer(report, n_plots, digits)
    changed = replace(report, charts=(), images=())
    changed = replace(changed, metrics=tuple(row for row in report.metrics if row.is_changed))
    changed = replace(changed, params=tuple(row for row in report.params if row.is_changed))
    text = _text(changed, report, digits)
    n_params = _most(
        len(changed.params), lambda n: len(_cut(changed, report, len(changed.metrics), n, digits)) <= max_size
    )
    if n_params is not None:
        return _cut(changed, report, len(changed.metrics), n_params, digits)
    n_metrics = _most(len(changed.metrics), lambda n: len(_cut(changed, report, n, 0, digits)) <= max_size)
    return _cut(changed, report, n_metrics or 0, 0, digits)[:max_size]


def code(text: str) -> str:
    """Returns text as a code span that is safe in a cell of a table."""
    shown = " ".join(text.split())
    shown = shown if len(shown) <= _MAX_TEXT else f"{shown[: _MAX_TEXT - 1]}…"
    ticks = "`" * (1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{ticks}{space}{shown}{space}{ticks}".replace("|", "\\|")


def _most(count: int, fits: Any) -> int | None:
    """Returns the largest number up to `count` that fits; None if not even 0 does."""
    if not fits(0):
        return None
    low, high = 0, count
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _fewer(report: Report, n_plots: int, digits: int) -> str:
    """Returns the text with so many plots, images first."""
    images = report.images[:n_plots]
    return _text(replace(report, images=images, charts=report.charts[: n_plots - len(images)]), report, digits)


def _cut(changed: Report, whole: Report, n_metrics: int, n_params: int, digits: int) -> str:
    return _text(replace(changed, metrics=changed.metrics[:n_metrics], params=changed.params[:n_params]), whole, digits)


def _text(report: Report, whole: Report, digits: int) -> str:
    """Returns the text of a report of which some rows may have been left out."""
    parts = [f"## {_plain(report.title)}", _summary(whole)]
    for title, rows, everything in (
        ("Metric", report.metrics, whole.metrics),
        ("Parameter", report.params, whole.params),
    ):
        if rows:
            parts.append(f"### {title}s\n\n{_table(title, rows, report, digits)}")
        if left := len(everything) - len(rows):
            what = f"{title.lower()}{'' if left == 1 else 's'}"
            parts.append(_left_out(left, what))
    parts += _plots(report, whole)
    if report.notes:
        lines = [f"- {_plain(note[:_MAX_NOTE])}" for note in report.notes[:_MAX_NOTES]]
        if len(report.notes) > _MAX_NOTES:
            lines.append(f"- … and {len(report.notes) - _MAX_NOTES} more")
        parts.append("### Could not be read\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _plots(report: Report, whole: Report) -> Iterator[str]:
    left = len(whole.charts) + len(whole.images) - len(report.charts) - len(report.images)
    if not (report.charts or report.images or left or report.not_drawn):
        return
    yield "### Plots"
    for (title, is_one_of_many), group in groupby(
        report.images, key=lambda image: (image.title, image.rev is not None)
    ):
        images = list(group)
        if is_one_of_many:
            heads = [code(image.rev or "") for image in images]
            cells = [f"![{_plain(f'{title} of {image.rev}')}](<{image.href}>)" for image in images]
            yield "\n".join((f"{code(title)}:", "", _line(heads), _line(["---"] * len(heads)), _line(cells)))
        else:
            yield "\n\n".join(f"![{_plain(title)}](<{image.href}>)" for image in images)
    for chart in report.charts:
        names = " · ".join(f"{sign} {code(name)}" for sign, name in legend_of(chart))
        rest = f" · and {chart.left_out} more that are not drawn" if chart.left_out else ""
        yield f"{render_mermaid(chart)}\n\n{names}{rest}"
    if left:
        yield _left_out(left, f"plot{'' if left == 1 else 's'}")
    if report.not_drawn:
        names = ", ".join(code(name) for name in report.not_drawn[:_MAX_NOTES])
        yield f"Only images can show these: {names}. `ob report --plots files` writes them."


def _left_out(count: int, what: str) -> str:
    return f"… and {count} {what} more, left out because a comment has a limit of size."


def _summary(report: Report) -> str:
    changed = [cell for row in report.metrics if row.is_changed for cell in row.cells]
    n_metrics = sum(row.is_changed for row in report.metrics)
    n_params = sum(row.is_changed for row in report.params)
    if not n_metrics and not n_params:
        return "No metric and no parameter differs."
    judged = [f"{count} {word}" for word, count in _judgements(changed) if count]
    how = f" ({', '.join(judged)})" if judged else ""
    metrics_text = _counted(n_metrics, "metric")
    return f"{metrics_text[0].upper()}{metrics_text[1:]} changed{how}, {_counted(n_params, 'parameter')} changed."


def _judgements(cells: Sequence[ReportCell]) -> Iterator[tuple[str, int]]:
    yield "better", sum(cell.is_better is True for cell in cells)
    yield "worse", sum(cell.is_better is False for cell in cells)


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'s' if count > 1 else ''}"


def _table(title: str, rows: Sequence[ReportRow], report: Report, digits: int) -> str:
    with_path = len({row.path for row in rows}) > 1
    is_single = len(report.revisions) == 1
    names = [code(shown_revision(each)) for each in (report.baseline, *report.revisions)]
    heads = [*(["File"] if with_path else []), title, *names, *(["Change"] if is_single else [])]
    rules = ["---"] * (1 + with_path) + ["---:"] * (len(heads) - 1 - with_path)
    lines = [_line(heads), _line(rules)]
    for row in rows:
        cells = [*([code(row.path)] if with_path else []), code(row.name), _value(row.old, digits)]
        if is_single:
            cell = row.cells[0]
            cells += [_value(cell.value, digits), _change(cell, row, digits)]
        else:
            cells += [_with_change(cell, row, digits) for cell in row.cells]
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _value(value: Any, digits: int) -> str:
    if value is None:
        return "-"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value_text(value, digits)
    return code(value_text(value, digits))


def _change(cell: ReportCell, row: ReportRow, digits: int) -> str:
    if cell.difference is None:
        return _words(cell.value, row.old)
    if not cell.difference or cell.difference != cell.difference:
        return ""
    return f"{_signed(cell.difference, digits)}{_MARKS[cell.is_better]}"


def _with_change(cell: ReportCell, row: ReportRow, digits: int) -> str:
    change = _change(cell, row, digits) if cell.difference is not None else ""
    return f"{_value(cell.value, digits)} ({change})" if change else _value(cell.value, digits)


def _words(new: Any, old: Any) -> str:
    if old is None or new is None:
        return "" if old is new else "new" if old is None else "gone"
    return "changed" if differs(new, old) else ""


def _signed(number: float, digits: int) -> str:
    return f"{number:+d}" if isinstance(number, int) else f"{number:+.{digits}g}"


def _plain(text: str) -> str:
    """Returns text in which nothing is markup."""
    escaped = re.sub(r"[\\`*_\[\]<>#|~&]", lambda found: f"&#{ord(found[0])};", " ".join(text.split()))
    return escaped.replace("@", "@&#8203;")  # a blank without width: nobody is mentioned
