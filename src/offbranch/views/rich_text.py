"""Tables for a terminal, in colour; loaded by name, and only when something is drawn there."""

from io import StringIO

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from offbranch.views.cells import DEFAULT_PRECISION, people_rows, people_titles
from offbranch.views.table import BASELINE, Column, Kind, Table

_HEAD_STYLES = {
    Kind.FIXED: "bold",
    Kind.METRIC: "bold yellow",
    Kind.PARAM: "bold cyan",
    Kind.DEP: "bold magenta",
}
_STATE_STYLES = {"Failed": "red", "Running": "green", "Queued": "yellow", "Success": "green"}


def render_rich(
    table: Table, *, precision: int | None = None, now_s: float, width: int | None = None, color: bool = True
) -> str:
    """Returns `exp show` with terminal codes.

    Args:
        table: What to show.
        precision: Significant digits of floats.
        now_s: The present moment, seconds since 1970 UTC.
        width: Columns of the terminal; None draws the table in its full width, for a pager.
        color: Off for a terminal whose user wants none.
    """
    digits = DEFAULT_PRECISION if precision is None else precision
    titles = people_titles(table)
    rows = people_rows(table, precision=digits, now_s=now_s, short_hashes=True)
    drawn = RichTable(box=None, header_style="", pad_edge=False, padding=(0, 2))
    by_title = {column.title: column for column in table.columns}
    for title in titles:
        style = _HEAD_STYLES[_kind(by_title.get(title))]
        drawn.add_column(Text(title, style=style), no_wrap=True, overflow="ellipsis")
    for row, cells in zip(table.rows, rows, strict=True):
        is_baseline = row.typ == BASELINE
        drawn.add_row(
            *(_cell(text, title) for text, title in zip(cells, titles, strict=True)),
            style="bold" if is_baseline else "",
        )
    out = StringIO()
    natural = sum(max(len(text) for text in column) + 4 for column in zip(titles, *rows, strict=True))
    console = Console(
        file=out,
        force_terminal=color,
        width=width or max(natural, 20),
        no_color=not color,
        highlight=False,
        legacy_windows=False,
    )
    console.print(drawn)
    if any(row.heading for row in table.rows):
        _put_headings(table, console, out)
    for note in table.notes:
        console.print(Text(note, style="red"), soft_wrap=True)
    return out.getvalue()


def _put_headings(table: Table, console: Console, out: StringIO) -> None:
    """Puts the headings between the lines that were drawn: each row is one line, below the one of the heads."""
    head, *lines = out.getvalue().splitlines()
    out.seek(0)
    out.truncate()
    out.write(f"{head}\n")
    for row, line in zip(table.rows, lines, strict=True):
        if row.heading:
            console.print()
            console.print(Text(row.heading, style="italic yellow"), soft_wrap=True)
        out.write(f"{line}\n")


def _kind(column: Column | None) -> Kind:
    return Kind.FIXED if column is None else column.kind


def _cell(text: str, title: str) -> Text:
    style = _STATE_STYLES.get(text, "") if title == "State" else "red" if text == "!" else ""
    return Text(" ".join(text.splitlines()), style=style)
