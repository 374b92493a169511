"""Tables for a terminal, in colour: full width, one line per row, for a pager that scrolls sideways.

What is not printable is shown as `\N{REPLACEMENT CHARACTER}`: a value of a metric must not send codes to the terminal.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from offbranch.views.cells import DEFAULT_PRECISION, people_rows, people_titles
from offbranch.views.table import BASELINE, Kind, Row, Table

# Parameters of the code that sets a style (ECMA-48, SGR).
_BOLD, _RED, _HEADING = "1", "31", "3;33"
_HEAD_STYLES = {Kind.FIXED: "1", Kind.METRIC: "1;33", Kind.PARAM: "1;36", Kind.DEP: "1;35"}
_STATE_STYLES = {"Failed": _RED, "Running": "32", "Queued": "33", "Held": "33", "Success": "32"}
_GAP = "    "
# One column each: Latin letters, punctuation and the lines of the tree; everything else is looked up.
_NARROW = re.compile("[ -\u02ff\u2010-\u2026\u2500-\u257f]*")
_ZERO_WIDTH = frozenset(("Mn", "Me", "Cf"))


def render_terminal(table: Table, *, precision: int | None = None, now_s: float, color: bool = True) -> str:
    """Returns `exp show` with terminal codes.

    Args:
        table: What to show.
        precision: Significant digits of floats.
        now_s: The present moment, seconds since 1970 UTC.
        color: Off for a terminal whose user wants none.
    """
    digits = DEFAULT_PRECISION if precision is None else precision
    titles = people_titles(table)
    rows = people_rows(table, precision=digits, now_s=now_s, short_hashes=True)
    cells = [[_one_line(text) for text in row] for row in (titles, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    kinds = {column.title: column.kind for column in table.columns}
    head = [_HEAD_STYLES[kinds.get(title, Kind.FIXED)] for title in titles]
    lines = [_line(cells[0], widths, head if color else (), "")]
    for row, texts in zip(table.rows, cells[1:], strict=True):
        lines += _row_lines(row, texts, titles, widths, color)
    lines += [_painted(_one_line(note), _RED if color else "") for note in table.notes]
    return "".join(f"{line}\n" for line in lines)


def _row_lines(
    row: Row, texts: Sequence[str], titles: Sequence[str], widths: Sequence[int], color: bool
) -> Iterator[str]:
    if row.heading:
        yield ""
        yield _painted(_one_line(row.heading), _HEADING if color else "")
    if not color:
        yield _line(texts, widths, (), "")
        return
    styles = [
        _RED if text == "!" else _STATE_STYLES.get(text, "") if title == "State" else ""
        for text, title in zip(texts, titles, strict=True)
    ]
    yield _line(texts, widths, styles if any(styles) else (), _BOLD if row.typ == BASELINE else "")


def _line(texts: Sequence[str], widths: Sequence[int], styles: Sequence[str], whole: str) -> str:
    """Returns one line; `styles` is one per cell, or empty where none has one, `whole` that of the line."""
    padded = [text + " " * (width - _width(text)) for text, width in zip(texts, widths, strict=True)]
    padded[-1] = texts[-1]
    if styles:
        back = f"\x1b[{whole}m" if whole else ""
        padded = [
            f"{_painted(text, f'{whole};{style}' if whole else style)}{back}" if style else text
            for text, style in zip(padded, styles, strict=True)
        ]
    return _painted(_GAP.join(padded).rstrip(" "), whole)


def _painted(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if style else text


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    joined = " ".join(text.splitlines())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in joined)


def _width(text: str) -> int:
    """Returns how many columns a text takes (Unicode Standard Annex 11)."""
    if text.isascii() or _NARROW.fullmatch(text):
        return len(text)
    return sum(
        0 if unicodedata.category(c) in _ZERO_WIDTH else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
