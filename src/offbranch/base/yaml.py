"""Reading YAML 1.2 text as ruamel.yaml (and so DVC) reads it, with the place of every mistake.

A simple text is read by `base/yaml_simple.py` in microseconds; all others by ruamel.yaml, which is loaded only then.
Writing is not here: the writers of each format live beside the format.
"""

from collections.abc import Callable, Sequence
from typing import Any

from offbranch.base.plugins import load
from offbranch.base.yaml_simple import NOT_SURE, parse_simple

Locate = Callable[[Sequence[str | int]], tuple[int, int] | None]


def load_yaml(text: str, path: str) -> Any:
    """Returns the value of a YAML text: dicts, lists and scalars; None when it is empty.

    Args:
        text: The content; line ends may be of either kind.
        path: The file, as the user knows it, for messages.

    Raises:
        BadInputError: It is not YAML, repeats a key, or its aliases stand for more than any real file would.
    """
    value = parse_simple(text)
    if value is not NOT_SURE:
        return value
    return load("offbranch.base.yaml_ruamel:read")(text, path)


def line_of(text: str, key_path: Sequence[str | int]) -> tuple[int, int] | None:
    """Returns line and column, from 1, of the entry that `key_path` leads to: of its key, or of a list item.

    Parses the whole text again, so it is meant for error messages. As much of the path as exists is followed; None
    when the text is no YAML or the first part is not there.
    """
    return locator(text)(key_path)


def locator(text: str) -> Locate:
    """Returns `line_of` for one text, which it parses only once, at the first question."""
    known: list[Locate] = []

    def locate(key_path: Sequence[str | int]) -> tuple[int, int] | None:
        if not known:
            known.append(load("offbranch.base.yaml_ruamel:locator")(text))
        return known[0](key_path)

    return locate
