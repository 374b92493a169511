"""`Line`: a line for the terminal as a record, so that what is printed can be tested without a terminal."""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class Style(Enum):
    """How a text looks; the values are the codes of ANSI terminals."""

    BOLD = "1"
    DIM = "2"
    BAD = "1;31"
    GOOD = "32"
    CARE = "33"


class Line(NamedTuple):
    """One line.

    Attributes:
        level: 0 always, 1 only with `-v`.
        is_warning: Goes to stderr, also with `-q`.
        is_aside: Goes to stderr, but not with `-q`.
    """

    text: str
    style: Style | None = None
    level: int = 0
    is_warning: bool = False
    is_aside: bool = False


def warning(text: str, hint: str | None = None) -> Iterator[Line]:
    """Yields a warning and the way out."""
    yield Line(f"warning: {text}", style=Style.CARE, is_warning=True)
    if hint:
        yield Line(f"hint: {hint}", is_warning=True)
