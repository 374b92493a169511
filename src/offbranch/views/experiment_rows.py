"""A table as values for Python: one dict per row, ready for pandas, and readable where a notebook shows it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from offbranch.base.errors import OffbranchError
from offbranch.base.notebook import MAX_ROWS, html_table
from offbranch.base.plugins import load
from offbranch.views.cells import DEFAULT_PRECISION, value_text
from offbranch.views.table import BASELINE, FIXED, Kind, Mark, Table

# A library of the user's, not of ours: who asks for a data frame has it.
_PANDAS: Final = "pandas"
_ERROR: Final = "!"


class ExperimentRows(list[dict[str, Any]]):
    """The rows of `exp show`: an ordinary list of dicts, with two ways to look at it.

    Every row has the same keys, in the order of the columns: those of `ob exp show --csv`. Values are as the files have
    them: whole numbers are int, there is no value where there is None, `Created` is an ISO 8601 time with its zone.
    """

    def __init__(self, rows: Iterable[dict[str, Any]] = (), *, columns: Sequence[str] = ()) -> None:
        super().__init__(rows)
        self.columns = tuple(columns) or tuple(self[0] if self else ())

    def to_pandas(self) -> Any:
        """Returns a `pandas.DataFrame` with a row per experiment; `Created` becomes a column of times.

        Raises:
            OffbranchError: pandas is not installed.
        """
        pandas = _pandas()
        frame = pandas.DataFrame(list(self), columns=list(self.columns))
        if "Created" in frame:
            frame["Created"] = pandas.to_datetime(frame["Created"], utc=True)
        return frame.convert_dtypes()

    def _repr_html_(self) -> str:
        """Returns a table for notebooks: columns without any value are left out, and rows beyond 200."""
        columns = [name for name in self.columns if any(row.get(name) is not None for row in self)]
        rows = ([_shown(row.get(name)) for name in columns] for row in self)
        baselines = [n for n, row in enumerate(self[:MAX_ROWS]) if row.get("typ") == BASELINE]
        return html_table(columns, rows, bold=baselines)


def rows_of_table(table: Table) -> ExperimentRows:
    """Returns the rows of a table as values; a file that could not be read has `!` in its columns, as in CSV.

    The fixed columns are always there: a program asks for them by name.
    """
    places = {column.title: n for n, column in enumerate(table.columns)}
    fixed = [column.title for column in table.columns if column.kind is Kind.FIXED and column.title not in FIXED]
    columns = [*FIXED, *fixed, *(column.title for column in table.columns if column.kind is not Kind.FIXED)]
    rows = []
    for row in table.rows:
        values = {name: _value(row.cells[places[name]]) if name in places else None for name in columns}
        values["Created"] = with_zone(values["Created"])
        rows.append(values)
    return ExperimentRows(rows, columns=columns)


def with_zone(timestamp: Any) -> Any:
    """Returns a time of a table with the offset of its zone; a local one has none yet."""
    if not isinstance(timestamp, str):
        return timestamp
    moment = datetime.fromisoformat(timestamp)
    return (moment if moment.tzinfo is not None else moment.astimezone()).isoformat()


def _value(cell: Any) -> Any:
    if cell is Mark.MISSING:
        return None
    if cell is Mark.ERROR:
        return _ERROR
    return list(cell) if isinstance(cell, tuple) else cell


def _shown(value: Any) -> Any:
    return None if value is None else value_text(value, DEFAULT_PRECISION)


def _pandas() -> Any:
    try:
        return load(_PANDAS)
    except ModuleNotFoundError as error:
        if error.name != _PANDAS:
            raise
        raise OffbranchError(
            "a data frame needs the package 'pandas', which is not installed", hint="pip install pandas"
        ) from error
