"""`Table`: the states of `exp show` as columns and rows, the record that every text form is drawn from.

Values are kept as they are; rounding, dates and the tree are the renderers' business.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from offbranch.base.records import record
from offbranch.params.lookup import flatten

State = dict[str, Any]


class Kind(Enum):
    """What a column holds."""

    FIXED = "fixed"
    METRIC = "metric"
    PARAM = "param"
    DEP = "dep"


class Mark(Enum):
    """What stands in a cell that has no value; the texts are those of tables for people."""

    MISSING = "-"
    ERROR = "!"


@record
class Column:
    """One column.

    Attributes:
        title: What its head says; `path:name` where the name alone would not be clear.
        path: The file it comes from; empty for a fixed column.
        name: Dotted key in that file, or the fixed name.
    """

    title: str
    kind: Kind
    path: str
    name: str


@record
class Row:
    """One row.

    Attributes:
        typ: `baseline`, `branch_commit`, or `branch_base` for the last of its baseline.
        cells: One value per column; a `Mark` where there is none.
    """

    typ: str
    cells: tuple[Any, ...]


@record
class Table:
    """What is drawn.

    Attributes:
        rows: Each baseline is followed by its experiments.
        notes: What the table has no room for: why an experiment failed and where its log is.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


FIXED: Final = ("Experiment", "rev", "typ", "Created", "parent", "State", "Executor")
_DROPPED_WHEN_EMPTY = ("State", "Executor")
BASELINE = "baseline"
_Flat = dict[tuple[Kind, str], Mapping[str, Any] | None]
_NOTHING: Mapping[str, Any] = {}


def make_table(states: Sequence[State], *, sha: bool = False) -> Table:
    """Returns the table of what `exp show` collected.

    Args:
        states: As `views/collect.py` makes them.
        sha: Names baselines by their id also where they have a name.
    """
    shown = [(typ, fixed, None if data is None else _flat(data)) for typ, fixed, data in _shown(states, sha)]
    columns = _columns([flat for _, _, flat in shown if flat is not None])
    groups = _groups(columns[len(FIXED) :])
    rows = [Row(typ=typ, cells=(*fixed, *_cells(groups, flat))) for typ, fixed, flat in shown]
    table = Table(columns=columns, rows=tuple(rows), notes=tuple(_notes(states)))
    empty = [name for n, name in enumerate(FIXED) if name in _DROPPED_WHEN_EMPTY and not _has_values(table, n)]
    return keep_columns(table, [n for n, column in enumerate(columns) if column.title not in empty])


def keep_columns(table: Table, positions: Sequence[int]) -> Table:
    """Returns the table with some of its columns, in the order given."""
    rows = tuple(Row(typ=row.typ, cells=tuple(row.cells[n] for n in positions)) for row in table.rows)
    return Table(columns=tuple(table.columns[n] for n in positions), rows=rows, notes=table.notes)


def position_of(table: Table, title: str) -> int | None:
    """Returns where the column with a title is."""
    return next((n for n, column in enumerate(table.columns) if column.title == title), None)


def _shown(states: Sequence[State], sha: bool) -> Iterator[tuple[str, tuple[Any, ...], Mapping[str, Any] | None]]:
    """Yields (type, fixed cells, DATA) of each row."""
    for state in states:
        name = state["rev"] if state["rev"] == "workspace" else None if sha else state["name"]
        yield BASELINE, _fixed(None, name or state["rev"][:7], BASELINE, state["data"], None), state["data"]
        ranges = state["experiments"] or ()
        for n, each in enumerate(ranges):
            tip = each["revs"][0]
            typ = "branch_base" if n + 1 == len(ranges) else "branch_commit"
            yield typ, _fixed(each["name"], tip["rev"][:7], typ, tip["data"], each["executor"]), tip["data"]


def _fixed(
    name: str | None, rev: str, typ: str, data: Mapping[str, Any] | None, executor: Mapping[str, Any] | None
) -> tuple[Any, ...]:
    created = data["timestamp"] if data else None
    state, place = (executor["state"], executor["name"]) if executor else (None, None)
    cells = (name, rev, typ, created, None, state and state.capitalize(), place and place.capitalize())
    return tuple(Mark.MISSING if cell is None else cell for cell in cells)


def _flat(data: Mapping[str, Any]) -> _Flat:
    """Returns the values of a revision by file and dotted name; None for a file that could not be read."""
    flat: _Flat = {
        (kind, path): None if "error" in entry else dict(_leaves(entry))
        for kind, section in ((Kind.METRIC, "metrics"), (Kind.PARAM, "params"))
        for path, entry in data[section].items()
    }
    flat.update(((Kind.DEP, path), {path: entry["hash"]}) for path, entry in data["deps"].items())
    return flat


def _columns(everything: Sequence[_Flat]) -> tuple[Column, ...]:
    files = _names(everything)
    counts: dict[str, int] = dict.fromkeys(FIXED, 1)
    for (kind, _), names in files.items():
        if kind is not Kind.DEP:
            for name in names:
                counts[name] = counts.get(name, 0) + 1
    columns = [Column(title=name, kind=Kind.FIXED, path="", name=name) for name in FIXED]
    for wanted in (Kind.METRIC, Kind.PARAM):
        for (kind, path), names in files.items():
            if kind is wanted:
                for name in names:
                    title = name if counts[name] == 1 else f"{path}:{name}"
                    columns.append(Column(title=title, kind=kind, path=path, name=name))
    deps = sorted(path for kind, path in files if kind is Kind.DEP)
    columns += [Column(title=path, kind=Kind.DEP, path=path, name=path) for path in deps]
    return tuple(columns)


def _names(everything: Sequence[_Flat]) -> dict[tuple[Kind, str], dict[str, None]]:
    """Returns the dotted names per file, both in the order of first appearance."""
    files: dict[tuple[Kind, str], dict[str, None]] = {}
    for flat in everything:
        for file, values in flat.items():
            known = files.setdefault(file, {})
            if values is not None and not values.keys() <= known.keys():
                known.update(dict.fromkeys(values))
    return files


def _leaves(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    data = entry.get("data")
    if isinstance(data, Mapping):
        for name, value in flatten(data):
            if not (isinstance(value, Mapping) and not value):
                yield name, value


def _groups(columns: Sequence[Column]) -> dict[tuple[Kind, str], list[str]]:
    """Returns the names of the columns by file; columns of one file stand together."""
    groups: dict[tuple[Kind, str], list[str]] = {}
    for column in columns:
        groups.setdefault((column.kind, column.path), []).append(column.name)
    return groups


def _cells(groups: Mapping[tuple[Kind, str], list[str]], flat: _Flat | None) -> Iterator[Any]:
    for file, names in groups.items():
        values = _NOTHING if flat is None else flat.get(file, _NOTHING)
        if values is None:
            yield from (Mark.ERROR for _ in names)
        else:
            for name in names:
                value = values.get(name)
                yield Mark.MISSING if value is None else value


def _has_values(table: Table, position: int) -> bool:
    return any(row.cells[position] is not Mark.MISSING for row in table.rows)


def _notes(states: Sequence[State]) -> Iterator[str]:
    for state in states:
        if state["error"] is not None:
            yield f"{state['name'] or state['rev'][:9]}: {state['error']['msg']}"
        for each in state["experiments"] or ():
            tip = each["revs"][0]
            if tip["error"] is not None:
                local = (each["executor"] or {}).get("local") or {}
                code = local.get("returncode")
                cause = tip["error"]["msg"] + (
                    "" if code is None or str(code) in tip["error"]["msg"] else f" (exit {code})"
                )
                log = f"; log: {local['log']}" if local.get("log") else ""
                yield f"{tip['rev'][:7]} [{each['name']}]: {cause}{log}"
