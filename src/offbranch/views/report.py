"""`Report`: what a pull request is told of experiments, as a record; `report_markdown.py` draws it."""

from collections.abc import Sequence
from typing import Any

from offbranch.base.notebook import html_table
from offbranch.base.records import record
from offbranch.views.report_charts import Chart


@record
class ReportCell:
    """One value of one revision.

    Attributes:
        value: None where there is none.
        difference: From the baseline, where both are numbers.
        is_better: Than the baseline; None where no direction was told, or nothing changed.
    """

    value: Any
    difference: int | float | None = None
    is_better: bool | None = None


@record
class ReportRow:
    """One metric or parameter.

    Attributes:
        path: The file it is in.
        name: Dotted key.
        old: The value of the baseline; None where there is none.
        cells: One per revision.
    """

    path: str
    name: str
    old: Any
    cells: tuple[ReportCell, ...]

    @property
    def is_changed(self) -> bool:
        """Any revision has another value than the baseline."""
        return any(differs(cell.value, self.old) for cell in self.cells)


@record
class ReportRevision:
    """Attributes:
    name: As it was asked for.
    commit: None for the workspace.
    """

    name: str
    commit: str | None


@record
class ReportImage:
    """Attributes:
    title: What it shows.
    href: Where it is: a path seen from the page, or a `data:` url.
    rev: The one revision that it is of; None for all of them together.
    """

    title: str
    href: str
    rev: str | None = None


@record
class Report:
    """The whole.

    Attributes:
        title: Its heading.
        baseline: What the revisions are compared with.
        revisions: In the order in which they were asked for.
        metrics: All of them, in the order of files and names.
        params: Those that differ, or all.
        notes: What could not be read, and why.
        charts: Curves.
        images: Plots as images.
        not_drawn: Plots that are neither, because only images can show them.
    """

    title: str
    baseline: ReportRevision
    revisions: tuple[ReportRevision, ...]
    metrics: tuple[ReportRow, ...]
    params: tuple[ReportRow, ...]
    notes: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    images: tuple[ReportImage, ...] = ()
    not_drawn: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Returns its tables for notebooks; what changed is bold."""
        names = (self.baseline.name, *(each.name for each in self.revisions))
        return "".join(
            html_table(
                ("File", title, *names),
                [(row.path, row.name, row.old, *(cell.value for cell in row.cells)) for row in rows],
                title=self.title if rows is self.metrics else "",
                bold=[n for n, row in enumerate(rows) if row.is_changed],
            )
            for title, rows in (("Metric", self.metrics), ("Parameter", self.params))
        )


def differs(a: Any, b: Any) -> bool:
    """Tells whether two values differ as the pipeline sees it: 1 and 1.0 do not, nor do two that are not a number."""
    return bool(a != b and not (a != a and b != b))


def report_to_json(report: Report) -> dict[str, Any]:
    """Returns `ob report --json`."""
    return {
        "title": report.title,
        "baseline": _revision_to_json(report.baseline),
        "revisions": [_revision_to_json(each) for each in report.revisions],
        "metrics": _rows_to_json(report.metrics),
        "params": _rows_to_json(report.params),
        "notes": list(report.notes),
        "charts": [_chart_to_json(each) for each in report.charts],
        "images": [{"title": each.title, "href": each.href, "rev": each.rev} for each in report.images],
    }


def _chart_to_json(chart: Chart) -> dict[str, Any]:
    lines = [{"name": line.name, "points": [list(point) for point in line.points]} for line in chart.lines]
    return {"title": chart.title, "x": chart.x_label, "y": chart.y_label, "lines": lines}


def _revision_to_json(revision: ReportRevision) -> dict[str, Any]:
    return {"name": revision.name, "rev": revision.commit}


def _rows_to_json(rows: Sequence[ReportRow]) -> list[dict[str, Any]]:
    return [
        {
            "path": row.path,
            "name": row.name,
            "old": row.old,
            "new": [{"value": cell.value, "diff": cell.difference, "better": cell.is_better} for cell in row.cells],
        }
        for row in rows
    ]
