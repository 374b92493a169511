"""A `Comparison` as text, Markdown, CSV or JSON."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from offbranch.experiments.diff_record import UNREADABLE, ComparedRow, Comparison
from offbranch.params.lookup import MISSING
from offbranch.views.cells import DEFAULT_PRECISION, value_text
from offbranch.views.csv import csv_lines
from offbranch.views.markdown import grid
from offbranch.views.text import aligned

_TITLES: Final = {
    "params": "Param",
    "metrics": "Metric",
    "deps": "Dependency",
    "outs": "Output",
    "env": "Environment",
    "code": "Code",
}
_NOTHING = "-"
_ERROR = "!"
# Ids of objects and hashes are for seeing which are the same.
_ID_DIGITS = 10
_IDS = ("hash",)


def render_comparison(
    found: Comparison, *, everything: bool = False, precision: int | None = None, bold: bool = False
) -> str:
    """Returns a table for each section that has anything to show, then how much is the same.

    Args:
        found: What was compared.
        everything: List what is the same, too.
        precision: Significant digits of metrics; of parameters only if given.
        bold: Heads, and rows that differ among equal ones, stand out on a terminal.
    """
    tables = []
    for section, rows in _sections(found, everything):
        lines = aligned(_cells(found, section, rows, precision))
        if bold:
            marked = [True, *(everything and row.differs for row in rows)]
            lines = [f"\x1b[1m{line}\x1b[0m" if mark else line for line, mark in zip(lines, marked, strict=True)]
        tables.append("".join(f"{line}\n" for line in lines))
    notes = [*_errors(found), *([] if everything else filter(None, [same_note(found)]))]
    return "\n".join([*tables, *(["".join(f"{note}\n" for note in notes)] if notes else [])])


def render_comparison_markdown(found: Comparison, *, everything: bool = False, precision: int | None = None) -> str:
    """Returns the same tables in Markdown, each followed by an empty line."""
    tables = (_cells(found, section, rows, precision) for section, rows in _sections(found, everything))
    return "".join(grid(cells[0], cells[1:]) for cells in tables)


def render_comparison_csv(found: Comparison, *, everything: bool = False) -> str:
    """Returns one table of all sections, values in full."""
    lines = [("section", "path", "name", *(side.name for side in found.sides), "differs")]
    for _, rows in _sections(found, everything):
        for row in rows:
            values = ("" if value is MISSING or value is None else _plain(value) for value in row.values)
            lines.append((row.section, row.path, row.name, *values, "yes" if row.differs else "no"))
    return csv_lines(lines)


def comparison_to_json(found: Comparison, *, everything: bool = False) -> dict[str, Any]:
    """Returns the sides, then section -> path -> name -> the values by side; a side that lacks one has no entry.

    Code has no names: its ids stand at the path itself.
    """
    sections: dict[str, dict[str, Any]] = {row.section: {} for row in found.rows}
    for section, rows in _sections(found, everything):
        for row in rows:
            entry = {
                "values": {
                    side.name: value
                    for side, value in zip(found.sides, row.values, strict=True)
                    if value is not MISSING and value is not UNREADABLE
                },
                "differs": row.differs,
            }
            if row.name:
                sections[section].setdefault(row.path, {})[row.name] = entry
            else:
                sections[section][row.path] = entry
    return {
        "sides": [
            {"name": side.name, "rev": side.commit, "state": side.state, "errors": dict(side.errors)}
            for side in found.sides
        ],
        **sections,
        "n_equal": sum(not row.differs for row in found.rows),
    }


def same_note(found: Comparison) -> str:
    """Returns how much is not listed because it is the same everywhere; empty when nothing is."""
    n = sum(not row.differs for row in found.rows)
    if not n:
        return ""
    count = "1 value is" if n == 1 else f"{n} values are"
    return f"{count} the same in all; --all lists {'it' if n == 1 else 'them'}"


def _sections(found: Comparison, everything: bool) -> Iterator[tuple[str, list[ComparedRow]]]:
    for section in dict.fromkeys(row.section for row in found.rows):
        rows = [row for row in found.rows if row.section == section and (everything or row.differs)]
        if rows:
            yield section, rows


def _cells(found: Comparison, section: str, rows: Sequence[ComparedRow], precision: int | None) -> list[list[str]]:
    files = {row.path for row in rows}
    digits = DEFAULT_PRECISION if precision is None and section == "metrics" else precision
    table = [[_TITLES[section], *(_head(side.name, side.state) for side in found.sides)]]
    for row in rows:
        is_short = section in ("params", "metrics") and len(files) == 1
        name = row.name if is_short else f"{row.path}:{row.name}" if row.name else row.path
        is_id = section == "code" or (section in ("deps", "outs") and row.name in _IDS)
        table.append([name, *(_text(value, digits, is_id=is_id) for value in row.values)])
    return table


def _head(name: str, state: str | None) -> str:
    return f"{name} ({state})" if state else name


def _text(value: Any, precision: int | None, *, is_id: bool) -> str:
    if value is MISSING:
        return _NOTHING
    if value is UNREADABLE:
        return _ERROR
    if is_id and isinstance(value, str):
        digest, dot, kind = value.partition(".")
        return digest[:_ID_DIGITS] + dot + kind
    return str(value) if precision is None else value_text(value, precision)


def _plain(value: Any) -> str:
    return _ERROR if value is UNREADABLE else str(value)


def _errors(found: Comparison) -> Iterator[str]:
    for side in found.sides:
        # Most errors name their file, those of the system do not.
        yield from (f"{side.name}: {text if path in text else f'{path}: {text}'}" for path, text in side.errors.items())
