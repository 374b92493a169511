"""Tables as GitHub-flavoured Markdown, laid out as DVC does it."""

from collections.abc import Sequence

from offbranch.views.cells import DEFAULT_PRECISION, people_rows, people_titles
from offbranch.views.table import Table


def render_markdown(table: Table, *, precision: int | None = None, now_s: float) -> str:
    """Returns `exp show --md`, with an empty line after it."""
    digits = DEFAULT_PRECISION if precision is None else precision
    rows = people_rows(table, precision=digits, now_s=now_s, headings=True)
    return grid(people_titles(table), rows)


def grid(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table, with an empty line after it."""
    heads = [_cell(title) for title in titles]
    body = [[_cell(text) for text in row] for row in rows]
    # The two blanks beside a head are what DVC's table writer asks for.
    widths = [max(len(head) + 2, *(len(row[n]) for row in body), 0) for n, head in enumerate(heads)]
    lines = [_line(heads, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    lines += [_line(row, widths) for row in body]
    return "\n".join(lines) + "\n\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "|" + "|".join(f" {cell.ljust(width)} " for cell, width in zip(cells, widths, strict=True)) + "|"


def _cell(text: str) -> str:
    # A bar or a line break would end the cell.
    return text.replace("|", "\\|").replace("\r", " ").replace("\n", " ")
