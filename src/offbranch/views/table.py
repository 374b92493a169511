"""`Table`: the states of `exp show` as columns and rows, the record that every text form is drawn from.

Values are kept as they are; rounding, dates and the tree are the renderers' business.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.views.baselines import lost_words
from offbranch.views.flat import Flat, Place, flat_values, names_of

# Others import these from here.
from offbranch.views.flat import Kind as Kind
from offbranch.views.flat import State as State


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
        typ: `baseline`, `branch_commit`, or `branch_base` for the last of its baseline; of a chain that is shown in full
            `checkpoint_tip`, `checkpoint_commit`, and `checkpoint_base` for its first commit.
        cells: One value per column; a `Mark` where there is none.
        heading: What to say above the row; of a baseline that no branch reaches any more.
    """

    typ: str
    cells: tuple[Any, ...]
    heading: str = ""


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

    def _repr_html_(self) -> str:
        """Returns the table for notebooks."""
        table: str = load("offbranch.views.experiment_rows:rows_of_table")(self)._repr_html_()
        return table


FIXED: Final = ("Experiment", "rev", "typ", "Created", "parent", "State", "Executor")
# Columns of ours, there only where there is something to say: how many checkpoints an experiment has, the number and the step
# of one, and what somebody has written.
OURS: Final = ("Checkpoints", "Checkpoint", "Step", "Tags", "Note")
_DROPPED_WHEN_EMPTY = ("State", "Executor", *OURS)
BASELINE = "baseline"
TIP, MIDDLE, BASE = "checkpoint_tip", "checkpoint_commit", "checkpoint_base"
_NOTHING: Mapping[str, Any] = {}


def make_table(states: Sequence[State], *, sha: bool = False, checkpoints: bool = False, counts: bool = True) -> Table:
    """Returns the table of what `exp show` collected.

    Args:
        states: As `views/collect.py` makes them.
        sha: Names baselines by their id also where they have a name.
        checkpoints: A row for each commit of a chain, with its number and step.
        counts: Say of each experiment how many checkpoints it has.
    """
    shown = list(_shown(states, sha, checkpoints=checkpoints, counts=counts or checkpoints))
    flats = [None if data is None else flat_values(data) for _, data in shown]
    has_ours = any(cell is not Mark.MISSING for row, _ in shown for cell in row.cells[len(FIXED) :])
    fixed = (*FIXED, *OURS) if has_ours else FIXED
    columns = _columns([flat for flat in flats if flat is not None], fixed)
    groups = _groups(columns[len(fixed) :])
    rows = tuple(
        Row(typ=row.typ, cells=(*row.cells[: len(fixed)], *_cells(groups, flat)), heading=row.heading)
        for (row, _), flat in zip(shown, flats, strict=True)
    )
    table = Table(columns=columns, rows=rows, notes=tuple(_notes(states)))
    empty = [name for n, name in enumerate(fixed) if name in _DROPPED_WHEN_EMPTY and not _has_values(table, n)]
    return keep_columns(table, [n for n, column in enumerate(columns) if column.title not in empty])


def keep_columns(table: Table, positions: Sequence[int]) -> Table:
    """Returns the table with some of its columns, in the order given."""
    rows = tuple(
        Row(typ=row.typ, cells=tuple([row.cells[n] for n in positions]), heading=row.heading) for row in table.rows
    )
    return Table(columns=tuple(table.columns[n] for n in positions), rows=rows, notes=table.notes)


def position_of(table: Table, title: str) -> int | None:
    """Returns where the column with a title is."""
    return next((n for n, column in enumerate(table.columns) if column.title == title), None)


def _shown(
    states: Sequence[State], sha: bool, *, checkpoints: bool, counts: bool
) -> Iterator[tuple[Row, Mapping[str, Any] | None]]:
    """Yields each row with its fixed cells alone, and its DATA."""
    for state in states:
        name = state["rev"] if state["rev"] == "workspace" else None if sha else state["name"]
        cells = _fixed(None, name or state["rev"][:7], BASELINE, state)
        heading = lost_words(state) if state.get("rewritten") else ""
        yield Row(typ=BASELINE, cells=cells, heading=heading), state["data"]
        ranges = state["experiments"] or ()
        for n, each in enumerate(ranges):
            tip, *older = each["revs"] if checkpoints else each["revs"][:1]
            typ = TIP if older else "branch_base" if n + 1 == len(ranges) else "branch_commit"
            n_checkpoints = each.get("n_checkpoints") if counts else None
            cells = _fixed(
                each["name"], tip["rev"][:7], typ, tip, each["executor"], n_checkpoints, is_numbered=checkpoints
            )
            yield Row(typ=typ, cells=cells), tip["data"]
            for m, one in enumerate(older, 1):
                typ = BASE if m == len(older) else MIDDLE
                yield Row(typ=typ, cells=_fixed(None, one["rev"][:7], typ, one, is_numbered=True)), one["data"]


def _fixed(
    name: str | None,
    rev: str,
    typ: str,
    state: State,
    executor: Mapping[str, Any] | None = None,
    n_checkpoints: int | None = None,
    *,
    is_numbered: bool = False,
) -> tuple[Any, ...]:
    """Returns the cells of FIXED and of OURS."""
    created = state["data"]["timestamp"] if state["data"] else None
    progress, place = (executor["state"], executor["name"]) if executor else (None, None)
    if executor and executor.get("is_held"):
        progress = "held"
    labels = state.get("labels") or {}
    checkpoint = (state.get("checkpoint") if is_numbered else None) or {}
    cells = (
        *(name, rev, typ, created, None, progress and progress.capitalize(), place and place.capitalize()),
        *(n_checkpoints, checkpoint.get("number"), checkpoint.get("step")),
        *(", ".join(labels.get("tags", ())) or None, labels.get("note") or None),
    )
    return tuple(Mark.MISSING if cell is None else cell for cell in cells)


def _columns(everything: Sequence[Flat], fixed: Sequence[str]) -> tuple[Column, ...]:
    files = names_of(everything)
    counts: dict[str, int] = dict.fromkeys(fixed, 1)
    for (kind, _), names in files.items():
        if kind is not Kind.DEP:
            for name in names:
                counts[name] = counts.get(name, 0) + 1
    columns = [Column(title=name, kind=Kind.FIXED, path="", name=name) for name in fixed]
    for wanted in (Kind.METRIC, Kind.PARAM):
        for (kind, path), names in files.items():
            if kind is wanted:
                for name in names:
                    title = name if counts[name] == 1 else f"{path}:{name}"
                    columns.append(Column(title=title, kind=kind, path=path, name=name))
    deps = sorted(path for kind, path in files if kind is Kind.DEP)
    columns += [Column(title=path, kind=Kind.DEP, path=path, name=path) for path in deps]
    return tuple(columns)


def _groups(columns: Sequence[Column]) -> dict[Place, list[str]]:
    """Returns the names of the columns by file; columns of one file stand together."""
    groups: dict[Place, list[str]] = {}
    for column in columns:
        groups.setdefault((column.kind, column.path), []).append(column.name)
    return groups


def _cells(groups: Mapping[Place, list[str]], flat: Flat | None) -> Iterator[Any]:
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
            note = (each["executor"] or {}).get("note")
            if tip["error"] is None and note:
                yield f"{tip['rev'][:7]} [{each['name']}]: {note}"
            if tip["error"] is not None:
                local = (each["executor"] or {}).get("local") or {}
                code = local.get("returncode")
                cause = tip["error"]["msg"] + (
                    "" if code is None or str(code) in tip["error"]["msg"] else f" (exit {code})"
                )
                log = f"; log: {local['log']}" if local.get("log") else ""
                yield f"{tip['rev'][:7]} [{each['name']}]: {cause}{_goes_on(each)}{log}"


def _goes_on(run: State) -> str:
    """Returns how a run that has ended too early goes on from its checkpoints."""
    executor = run["executor"] or {}
    if not run.get("n_checkpoints") or executor.get("state") != "failed":
        return ""
    command = "ob queue retry" if executor.get("queue_id") else "ob exp run --resume"
    return f"; to go on from checkpoint {run['n_checkpoints']}: {command} {run['name']}"
