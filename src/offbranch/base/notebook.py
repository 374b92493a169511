"""Tables of HTML for notebooks: what the `_repr_html_` of a record returns.

All texts are somebody else's and escaped; the style is in each cell, as pages that show notebooks drop style sheets.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

MAX_ROWS: Final = 200
_DIGITS = 5
_CELL: Final = "text-align:left;padding:0.2em 0.6em;white-space:nowrap"
_SIGNS: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;"))


def html_table(
    heads: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", bold: Collection[int] = ()
) -> str:
    """Returns a table; of more than 200 rows the first ones, and how many there are beyond.

    Args:
        heads: What stands above the columns.
        rows: Their values: None is an empty cell, a float is shortened to five digits, anything else is its text.
        title: What stands above the table.
        bold: Numbers of rows that stand out.
    """
    everything = list(rows)
    head = "".join(f'<th style="{_CELL}">{escaped(name)}</th>' for name in heads)
    body = "".join(_row(row, is_bold=n in bold) for n, row in enumerate(everything[:MAX_ROWS]))
    rest = len(everything) - MAX_ROWS
    more = f"<p>… and {rest} more {'row' if rest == 1 else 'rows'}</p>" if rest > 0 else ""
    caption = f"<p><b>{escaped(title)}</b></p>" if title else ""
    return f"{caption}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def escaped(text: str) -> str:
    """Returns text that is no markup, also within quotes."""
    for sign, name in _SIGNS:
        text = text.replace(sign, name)
    return text


def _row(row: Sequence[Any], *, is_bold: bool) -> str:
    weight = ";font-weight:bold" if is_bold else ""
    return "<tr>" + "".join(f'<td style="{_CELL}{weight}">{_cell(value)}</td>' for value in row) + "</tr>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return escaped(f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value))
