"""Which columns of a table are shown, and in which order the experiments of each baseline stand. Rows are never lost."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.records import replace
from offbranch.views.options import ShowOptions
from offbranch.views.table import BASE, BASELINE, MIDDLE, TIP, Column, Kind, Mark, Row, Table, keep_columns, position_of

# A table without these would not say what its rows are.
_ALWAYS = frozenset(("Experiment", "rev", "typ"))


def select(table: Table, options: ShowOptions) -> Table:
    """Returns the table with the columns and the order that are asked for.

    Raises:
        NotFoundError: The column to sort by, or one to include, does not exist.
        UsageError: It is ambiguous, or a regular expression is malformed.
    """
    included = _included(table, options)
    if options.sort_by is not None:
        table = sort_rows(table, options.sort_by, descending=options.sort_order == "desc")
    kept = _compiled(options.keep)
    dropped = _compiled(options.drop)
    positions = []
    for n, column in enumerate(table.columns):
        is_changed = not options.only_changed or column.title == "Created" or _differs(table, n)
        is_dropped = any(pattern.match(column.title) for pattern in dropped) or not is_changed
        if n not in included:
            continue
        if column.title in _ALWAYS or not is_dropped or any(pattern.match(column.title) for pattern in kept):
            positions.append(n)
    return keep_columns(table, positions)


def sort_rows(table: Table, sort_by: str, *, descending: bool) -> Table:
    """Returns the table with the experiments of each baseline sorted by a column; rows without a value come last.

    Raises:
        NotFoundError: There is no such metric or parameter.
        UsageError: Several files have one of this name.
    """
    position = _sort_column(table, sort_by)
    rows: list[Row] = []
    group: list[Row] = []
    for row in (*table.rows, None):
        if row is None or row.typ == BASELINE:
            rows += _with_types(table, _sorted(group, position, descending))
            group = []
            rows += [] if row is None else [row]
        else:
            group.append(row)
    return Table(columns=table.columns, rows=tuple(rows), notes=table.notes)


def _sort_column(table: Table, sort_by: str) -> int:
    sortable = [(n, c) for n, c in enumerate(table.columns) if c.kind in (Kind.METRIC, Kind.PARAM)]
    exact = [n for n, column in sortable if sort_by in (column.title, f"{column.path}:{column.name}")]
    found = exact or [n for n, column in sortable if sort_by == column.name]
    if not found:
        names = [column.title for _, column in sortable]
        hint = did_you_mean(sort_by, names) or "give the name of a metric or parameter as the table heads it"
        raise NotFoundError(f"unknown sort column '{sort_by}'", hint=hint)
    if len(found) > 1:
        names = [table.columns[n].title for n in found]
        raise UsageError(f"ambiguous sort column '{sort_by}'", hint=f"give one of {', '.join(names)}")
    return found[0]


def _sorted(rows: Sequence[Row], position: int, descending: bool) -> list[Row]:
    """Returns rows by the value of a column; a chain stays together, in the place of its tip."""
    blocks: list[list[Row]] = []
    for row in rows:
        if row.typ in (MIDDLE, BASE):
            blocks[-1].append(row)
        else:
            blocks.append([row])

    def has_value(block: Sequence[Row]) -> bool:
        return not isinstance(block[0].cells[position], Mark) and not _is_nan(block[0].cells[position])

    present = [block for block in blocks if has_value(block)]
    present.sort(key=lambda block: _sort_key(block[0].cells[position]), reverse=descending)
    return [row for block in (*present, *(each for each in blocks if not has_value(each))) for row in block]


def _sort_key(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, (int, float)) else (1, str(value))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value


def _with_types(table: Table, rows: Sequence[Row]) -> list[Row]:
    """Gives the last row of a baseline its type, which a CSV reader recognises it by."""
    place = position_of(table, "typ")
    typed = []
    for n, row in enumerate(rows):
        if row.typ in (TIP, MIDDLE, BASE):
            typed.append(row)
            continue
        typ = "branch_base" if n + 1 == len(rows) else "branch_commit"
        cells = tuple(typ if m == place else cell for m, cell in enumerate(row.cells))
        typed.append(replace(row, typ=typ, cells=cells))
    return typed


def _differs(table: Table, position: int) -> bool:
    values = [row.cells[position] for row in table.rows]
    return any(value != values[0] or type(value) is not type(values[0]) for value in values[1:])


def _included(table: Table, options: ShowOptions) -> frozenset[int]:
    """Returns the positions of columns that the user's lists of names leave."""
    left = set(range(len(table.columns)))
    for kind, texts in ((Kind.PARAM, options.include_params), (Kind.METRIC, options.include_metrics)):
        names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
        columns = {n: column for n, column in enumerate(table.columns) if column.kind is kind}
        for name in names:
            if columns and not any(_names(column, name) for column in columns.values()):
                what = "parameter" if kind is Kind.PARAM else "metric"
                hint = did_you_mean(name, [column.title for column in columns.values()])
                raise NotFoundError(f"there is no {what} '{name}'", hint=hint or "ob exp show prints all there are")
        if names:
            left -= {n for n, column in columns.items() if not any(_names(column, name) for name in names)}
    return frozenset(left)


def _names(column: Column, wanted: str) -> bool:
    """Tells whether a name means a column: itself, with its file, or a map above it."""
    return any(
        full == wanted or full.startswith(f"{wanted}.") for full in (column.name, f"{column.path}:{column.name}")
    )


def _compiled(patterns: Iterable[str]) -> list[re.Pattern[str]]:
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern))
        except re.error as error:
            raise UsageError(
                f"'{pattern}' is not a regular expression: {error}",
                hint="put a backslash before . * + ? ( ) [ ] to mean itself",
            ) from error
    return compiled
