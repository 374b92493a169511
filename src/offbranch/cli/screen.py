"""Lines that are kept up to date at the bottom of a terminal."""

import os
import re
from collections.abc import Sequence
from typing import Any, TextIO

_MIN_LINES = 5
# Of a terminal that does not know its own.
_USUAL_SIZE = (80, 24)
_CODE = re.compile(r"(\x1b\[[0-9;]*m)")


class Screen:
    """Lines at the bottom of a terminal, of which only those are written again that have changed; the last ones stay.

    Args:
        out: The terminal.
        size: Gives its columns and lines.
    """

    def __init__(self, out: TextIO, *, size: Any = None) -> None:
        self._out = out
        self._size = size or (lambda: os.get_terminal_size(out.fileno()))
        self._shown: list[str] = []
        self._had: tuple[int, int] = (0, 0)

    def show(self, lines: Sequence[str]) -> None:
        """Replaces what is shown."""
        columns, rows = (given or usual for given, usual in zip(self._size(), _USUAL_SIZE, strict=True))
        fitting = _fitting(lines, columns, rows)
        text = self._begin((columns, rows))
        for n, line in enumerate(fitting):
            if n >= len(self._shown):
                text += f"{line}\n"
            elif line != self._shown[n]:
                text += f"{line}\x1b[K\n"
            else:
                text += "\n"
        if len(self._shown) > len(fitting):
            text += "\x1b[J"
        self._shown = fitting
        self._out.write(text)
        self._out.flush()

    def end(self) -> None:
        """Wipes what the terminal has echoed below the lines, Ctrl-C as a rule."""
        self._out.write("\r\x1b[K")
        self._out.flush()

    def _begin(self, size: tuple[int, int]) -> str:
        """Returns what moves to the first line; after a change of the size everything is written anew."""
        up = f"\x1b[{len(self._shown)}A\r" if self._shown else ""
        if size != self._had and self._shown:
            self._shown = []
            up += "\x1b[J"
        self._had = size
        return up


def _fitting(lines: Sequence[str], columns: int, rows: int) -> list[str]:
    """Returns what has room: the head, as many lines as fit, how many are left out, and the last two lines."""
    room = max(rows - 1, _MIN_LINES)
    kept = list(lines)
    if len(kept) > room:
        n_left_out = len(kept) - room + 1
        kept = [*kept[: room - 3], f"… and {n_left_out} more", *kept[-2:]]
    return [_cut(line, columns) for line in kept]


def _cut(line: str, columns: int) -> str:
    """Returns the beginning of a line that has room; codes for colours take none, and are closed at the end."""
    if len(line) <= columns:
        return line
    if "\x1b" not in line:
        return f"{line[: columns - 1]}…"
    parts, left = [], columns - 1
    for n, part in enumerate(_CODE.split(line)):
        if n % 2:
            parts.append(part)
        elif len(part) <= left:
            parts.append(part)
            left -= len(part)
        else:
            return "".join((*parts, part[:left], "…\x1b[0m"))
    return line
