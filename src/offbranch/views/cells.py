"""Values of a table as text: numbers, dates, the name of a row."""

import time
from typing import Any

from offbranch.views.table import BASE, BASELINE, MIDDLE, TIP, Mark, Table, position_of

DEFAULT_PRECISION = 5
_MAX_NOTE = 40
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GLYPHS = {"branch_commit": "├──", "branch_base": "└──", TIP: "│ ╓", MIDDLE: "│ ╟", BASE: "├─╨"}
# What the first column of a table for people is made of.
_MERGED = ("Experiment", "rev", "typ", "parent")


def value_text(value: Any, precision: int) -> str:
    """Returns a value for people: floats to so many significant digits."""
    if isinstance(value, Mark):
        return value.value
    if isinstance(value, float):
        return f"{value:.{precision}g}"
    if isinstance(value, list):
        return "[" + ", ".join(_inner_text(item, precision) for item in value) + "]"
    return str(value)


def local_time(time_s: float) -> str:
    """Returns a moment in local time, as JSON and CSV write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time_s))


def created_text(timestamp: Any, now_s: float) -> str:
    """Returns a local ISO time as `06:11 PM` if it is of today, else as `Nov 23, 2026`."""
    if not isinstance(timestamp, str):
        return Mark.MISSING.value
    date, _, clock = timestamp.partition("T")
    if date == time.strftime("%Y-%m-%d", time.localtime(now_s)):
        hour = int(clock[:2])
        return f"{hour % 12 or 12:02}:{clock[3:5]} {'AM' if hour < 12 else 'PM'}"
    year, month, day = date.split("-")
    return f"{_MONTHS[int(month) - 1]} {day}, {year}"


def people_titles(table: Table) -> list[str]:
    """Returns the column heads of a table for people: the row's name, then everything that is not part of it."""
    return ["Experiment", *(column.title for column in table.columns if column.title not in _MERGED)]


def note_text(note: Any) -> str:
    """Returns the beginning of a note, on one line."""
    if not isinstance(note, str):
        return Mark.MISSING.value
    text = " ".join(note.split())
    return text if len(text) <= _MAX_NOTE else f"{text[: _MAX_NOTE - 1]}…"


def people_rows(
    table: Table, *, precision: int, now_s: float, short_hashes: bool = False, headings: bool = False
) -> list[list[str]]:
    """Returns the cells that belong to `people_titles`.

    Args:
        table: What to show.
        precision: Significant digits of floats.
        now_s: The present moment, seconds since 1970 UTC.
        short_hashes: Cut hashes of dependencies to seven digits.
        headings: Say what stands above a row in its first cell, where lines cannot be put between rows.
    """
    name_at, rev_at = position_of(table, "Experiment"), position_of(table, "rev")
    others = [(n, column) for n, column in enumerate(table.columns) if column.title not in _MERGED]
    rows = []
    for row in table.rows:
        name = row.cells[name_at] if name_at is not None else Mark.MISSING
        about = f" ({row.heading})" if row.heading and headings else ""
        cells = [_row_name(row.typ, name, row.cells[rev_at] if rev_at is not None else "") + about]
        for n, column in others:
            value = row.cells[n]
            if column.title == "Created" and not column.path:
                cells.append(created_text(value, now_s))
            elif column.title == "Note" and not column.path:
                cells.append(note_text(value))
            elif short_hashes and column.path == column.name and isinstance(value, str):
                cells.append(value[:7])
            else:
                cells.append(value_text(value, precision))
        rows.append(cells)
    return rows


def _row_name(typ: str, name: Any, rev: str) -> str:
    if typ == BASELINE:
        return rev
    glyph = _GLYPHS[typ]
    return f"{glyph} {rev}" if isinstance(name, Mark) else f"{glyph} {rev} [{name}]"


def _inner_text(value: Any, precision: int) -> str:
    return value_text(value, precision) if isinstance(value, float | list) else repr(value)
