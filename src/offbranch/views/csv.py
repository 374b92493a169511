"""A table as CSV, for programs: full precision, ISO times, nothing where there is no value (RFC 4180)."""

from collections.abc import Iterable
from typing import Any

from offbranch.views.table import Mark, Table


def render_csv(table: Table) -> str:
    """Returns the whole text, lines ended by CRLF as DVC writes them."""
    rows = ([_text(cell) for cell in row.cells] for row in table.rows)
    return csv_line([column.title for column in table.columns]) + "".join(map(csv_line, rows))


def csv_line(cells: Iterable[str]) -> str:
    """Returns one line with its end."""
    return ",".join(map(_quoted, cells)) + "\r\n"


def _text(value: Any) -> str:
    if value is Mark.MISSING:
        return ""
    return value.value if isinstance(value, Mark) else str(value)


def _quoted(text: str) -> str:
    if "," in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text
