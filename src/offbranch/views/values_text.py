"""The parameters and metrics of revisions, and how two differ, as text, Markdown, CSV and JSON.

Laid out as DVC does it. Numbers of metrics are rounded to places after the point; parameters are what the user wrote, and
rounded only on request.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from offbranch.base.records import record
from offbranch.experiments.diff_record import Change, Changes
from offbranch.experiments.revision_files import error_to_json
from offbranch.experiments.values import Kind, RevisionValues
from offbranch.experiments.values_revisions import ValuesDiff
from offbranch.params.lookup import flatten
from offbranch.views.csv import csv_lines
from offbranch.views.diff_text import aligned_table, change_to_json
from offbranch.views.markdown import grid

DEFAULT_DIGITS: Final = 5
_MISSING = "-"
_TITLES = {Kind.PARAMS: "Param", Kind.METRICS: "Metric"}


@record
class ValuesTable:
    """Rows of values under titles.

    Attributes:
        rows: Values as they are; None where there is none.
        digits: Places after the point for people; None does not round.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    digits: int | None = None


def digits_of(kind: Kind, precision: int | None) -> int | None:
    """Returns to how many places numbers are rounded; 0 counts as not given, as in DVC."""
    return precision or (DEFAULT_DIGITS if kind is Kind.METRICS else None)


def values_table(revisions: Sequence[RevisionValues], *, digits: int | None) -> ValuesTable:
    """Returns one row per file and revision; columns are the dotted names of all values, sorted."""
    flat = [(each.name, path, dict(flatten(_data(entry)))) for each in revisions for path, entry in each.files.items()]
    names = sorted({name for _, _, values in flat for name in values})
    rows = tuple((rev, path, *(_value(values.get(name)) for name in names)) for rev, path, values in flat)
    # The workspace alone needs no column of revisions.
    first = 0 if any(each.name for each in revisions) else 1
    return ValuesTable(
        titles=("Revision", "Path", *names)[first:], rows=tuple(row[first:] for row in rows), digits=digits
    )


def diff_table(diff: ValuesDiff, kind: Kind, *, digits: int | None, no_path: bool = False) -> ValuesTable:
    """Returns one row per value that differs; that of metrics has a column for the difference."""
    first, last = (1 if no_path else 0), (None if kind is Kind.METRICS else -1)
    titles = ("Path", _TITLES[kind], diff.old.name, diff.new.name, "Change")
    rows = ((path, name, *_cells(each)) for path, names in diff.changes.items() for name, each in names.items())
    return ValuesTable(titles=titles[first:last], rows=tuple(row[first:last] for row in rows), digits=digits)


def render_values_text(table: ValuesTable) -> str:
    """Returns aligned columns; empty when there is nothing to show."""
    if not table.rows:
        return ""
    return "".join(f"{line}\n" for line in aligned_table([list(table.titles), *_texts(table)]))


def render_values_markdown(table: ValuesTable) -> str:
    """Returns a Markdown table with an empty line after it; only its head when there is nothing to show."""
    return grid(table.titles, list(_texts(table)))


def render_values_csv(table: ValuesTable) -> str:
    """Returns comma-separated values in full precision, nothing where there is no value."""
    rows = (["" if value is None else str(value) for value in row] for row in table.rows)
    return csv_lines([table.titles, *rows])


def values_to_json(revisions: Sequence[RevisionValues]) -> dict[str, Any]:
    """Returns revision -> file -> data, in the structure of DVC; errors in the places of what they hide."""
    return {
        each.name: {"data": dict(each.files)} if each.error is None else {"error": error_to_json(each.error)}
        for each in revisions
    }


def changes_to_json(changes: Changes) -> dict[str, Any]:
    """Returns file -> name -> old, new and, for numbers, diff."""
    return {path: {name: change_to_json(each) for name, each in names.items()} for path, names in changes.items()}


def problems_of(revision: RevisionValues) -> Iterator[str]:
    """Yields what could not be read, one line each."""
    place = f" of '{revision.name}'" if revision.name and revision.name != "workspace" else ""
    if revision.error is not None:
        yield f"cannot read the pipelines{place}: {revision.error}"
    for path, entry in revision.files.items():
        if (error := entry.get("error")) is not None:
            yield f"cannot read '{path}'{place}: {error['msg']}"


def _data(entry: Any) -> Any:
    return entry.get("data", {})


def _cells(change: Change) -> tuple[Any, Any, Any]:
    return change.old, change.new, change.difference


def _value(value: Any) -> Any:
    return None if value == {} else value


def _texts(table: ValuesTable) -> Iterator[list[str]]:
    for row in table.rows:
        yield [_text(value, table.digits) for value in row]


def _text(value: Any, digits: int | None) -> str:
    if value is None:
        return _MISSING
    return str(round(value, digits)) if isinstance(value, float) and digits is not None else str(value)
