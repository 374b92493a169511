"""A table as CSV, for programs: full precision, ISO times, nothing where there is no value (RFC 4180)."""

from collections.abc import Iterable
from typing import Any

from offbranch.views.cells import value_text
from offbranch.views.table import Mark, Table


def render_csv(table: Table, *, precision: int | None = None) -> str:
    """Returns the whole text, lines ended by CRLF as DVC writes them.

    Args:
        table: What to show.
        precision: Significant digits of floats; None for all of them.
    """
    rows = ([_text(cell, precision) for cell in row.cells] for row in table.rows)
    return csv_lines([[column.title for column in table.columns], *rows])


def csv_lines(rows: Iterable[Iterable[str]]) -> str:
    """Returns rows of texts as CSV."""
    return "".join(",".join(map(_quoted, row)) + "\r\n" for row in rows)


def _text(value: Any, precision: int | None) -> str:
    if value is Mark.MISSING:
        return ""
    if isinstance(value, Mark):
        return value.value
    return str(value) if precision is None else value_text(value, precision)


def _quoted(text: str) -> str:
    if "," in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text
