"""Changes in the text of a YAML file; every byte around a changed value stays as it is.

Three ways, each tried only when the one before did not give exactly the wanted data: a glance at the lines, for a scalar
in plain block maps; the marks of the full parser (`edit_yaml_marks.py`); ruamel.yaml's round trip, which keeps comments
but may lay the file out anew.
"""

import re
from collections.abc import Iterator
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.plugins import load
from offbranch.base.yaml_simple import plain_scalar
from offbranch.params.changes import Change, Path, Put, apply_change, cannot_edit, same_data
from offbranch.params.files import parse_text
from offbranch.params.spans import newline_of
from offbranch.params.yaml_text import scalar_text

_LINE = re.compile(
    r"""( *)('[^'\r\n]*'|"[^"\\\r\n]*"|[^\s#'"\[\]{},&*!|>%@`?:-][^:#\r\n]*?)[ ]*:(?:[ ]+(.*))?\r?$"""
).match
_VALUE = re.compile(
    r"""(?:'(?:[^'\r\n]|'')*'|"(?:[^"\\\r\n]|\\.)*"|[^\s#&*!|>%@`"'\[\]{}][^#\r\n]*?)(?=[ ]+\#|[ ]*\r?$)"""
).match


def edit(text: str, change: Change, wanted: Any, path: str) -> str:
    """Returns the text after a change.

    Args:
        text: Valid YAML with a map on top, or empty.
        change: What to do.
        wanted: The whole data after it.
        path: The file, for messages.

    Raises:
        OffbranchError: The change cannot be made in this text.
    """
    for edited in _attempts(text, change, wanted):
        if edited is not None and _reads_as(edited, wanted, path):
            return edited
    raise cannot_edit(change, path, "the file holds it in a form that is not understood")


def _attempts(text: str, change: Change, wanted: Any) -> Iterator[str | None]:
    yield _by_lines(text, change)
    yield load("offbranch.params.edit_yaml_marks:edit_by_marks")(text, change, wanted)
    yield _by_rewriting(text, change)


def _reads_as(text: str, wanted: Any, path: str) -> bool:
    try:
        return same_data(parse_text(text, path), wanted)
    except BadInputError:
        return False


def _by_lines(text: str, change: Change) -> str | None:
    if not isinstance(change, Put) or isinstance(change.value, dict | list):
        return None
    found = _find_line(text, change.path)
    if found is None:
        return None
    start, end, margin = found
    if margin is None:
        quote = text[start] if text[start] in "'\"" else ""
        return text[:start] + scalar_text(change.value, quote) + text[end:]
    line = f"{margin}{scalar_text(change.path[-1])}: {scalar_text(change.value)}"
    newline = newline_of(text)
    if end and text[end - 1] != "\n":
        return text[:end] + newline + line + text[end:]
    return text[:end] + line + newline + text[end:]


def _find_line(text: str, path: Path) -> tuple[int, int, str | None] | None:
    """Looks for the scalar at a path of plain block maps, as far as lines show; the caller verifies.

    Returns:
        Start and end of the value, and None; when only the last key is missing, twice the place for its line, and its
        indentation; None when neither shows.
    """
    depth, floor, level, at = 0, -1, -1, 0
    # Behind the last line of the map that should have the last key.
    map_end = len(text)
    for line in text.split("\n"):
        column = len(line) - len(line.lstrip(" "))
        content = line[column : column + 1]
        if content not in ("", "#", "\r"):
            if column <= floor:
                break
            match = _LINE(line)
            level = column if level < 0 else level
            if match is not None and column == level and _is_key(match[2], path[depth]):
                depth += 1
                if depth == len(path):
                    return _span(match, at)
                floor, level = column, -1
            map_end = min(at + len(line) + 1, len(text))
        at += len(line) + 1
    if depth < len(path) - 1 or (level < 0 and text):
        return None
    if depth == 0:
        # A comment at the end of the file belongs to what is above it as well as to anything.
        map_end = len(text)
    return map_end, map_end, " " * max(level, 0)


def _span(match: re.Match[str], at: int) -> tuple[int, int, None] | None:
    value = _VALUE(match.string, match.start(3)) if match[3] else None
    return None if value is None else (at + value.start(), at + value.end(), None)


def _is_key(written: str, key: Any) -> bool:
    if written[0] in "'\"":
        return bool(written[1:-1] == key)
    meant = plain_scalar(written)
    return bool(meant == key) and type(meant) is type(key)


def _by_rewriting(text: str, change: Change) -> str | None:
    def apply(document: Any) -> None:
        apply_change(document, change)

    try:
        edited: str = load("offbranch.base.yaml_ruamel:edit")(text, apply)
    except (LookupError, TypeError, ValueError, AttributeError, NotImplementedError):
        # Merged keys and the like: ruamel's document has them in other places than the plain data.
        return None
    return edited.replace("\n", newline_of(text)) if "\r\n" in text else edited
