"""Tables as plain text with aligned columns, for pipes and files; `terminal.py` draws for a terminal."""

from collections.abc import Sequence

from offbranch.views.cells import DEFAULT_PRECISION, people_rows, people_titles
from offbranch.views.table import Table


def render_text(table: Table, *, precision: int | None = None, now_s: float) -> str:
    """Returns `exp show`: one line per row in full width, then what went wrong where."""
    digits = DEFAULT_PRECISION if precision is None else precision
    head, *body = aligned([people_titles(table), *people_rows(table, precision=digits, now_s=now_s, short_hashes=True)])
    lines = [head]
    for row, line in zip(table.rows, body, strict=True):
        lines += ["", row.heading, line] if row.heading else [line]
    notes = ["", *table.notes] if table.notes else []
    return "".join(f"{line}\n" for line in (*lines, *notes))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns lines whose columns stand below each other, four blanks apart."""
    cells = [[" ".join(text.splitlines()) if "\n" in text or "\r" in text else text for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["    ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
