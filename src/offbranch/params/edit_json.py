"""Changes in the text of a JSON file; everything around a changed value stays as it is written."""

import json
import re
from typing import Any

from offbranch.params.changes import Change, Remove, cannot_edit, same_data
from offbranch.params.files import parse_text
from offbranch.params.spans import (
    Entry,
    Node,
    Shape,
    find_entry,
    follow,
    insert_in_flow,
    line_start,
    newline_of,
    put_text,
    remove_from_flow,
)

_BLANK = re.compile(r"[ \t\n\r]*").match
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match
_ATOM = re.compile(r"[^\s,\]}]+").match


def edit(text: str, change: Change, wanted: Any, path: str) -> str:
    """Returns the text after a change.

    Args:
        text: Valid JSON with a map on top, or blank.
        change: What to do.
        wanted: The whole data after it.
        path: The file, for messages.

    Raises:
        OffbranchError: The change cannot be made in this text.
    """
    if not text.strip():
        return json.dumps(wanted, indent=2, ensure_ascii=False) + "\n"
    edited = _edited(text, _scan(text, _skip(text, 0)), change)
    if not same_data(parse_text(edited, path), wanted):
        raise cannot_edit(change, path, "the file holds it in a form that is not understood")
    return edited


def _edited(text: str, root: Node, change: Change) -> str:
    nodes, taken = follow(root, change.path)
    if isinstance(change, Remove):
        parent = nodes[-2]
        return remove_from_flow(text, parent, find_entry(parent, change.path[-1]) or 0)
    if taken == len(change.path):
        node = nodes[-1]
        old_is_open = "\n" in text[node.start : node.end]
        return put_text(text, node.start, node.end, _written(change.value, text, node.start, is_open=old_is_open))
    parent = nodes[-1]
    is_open = "\n" in text[parent.start : parent.end]
    place = parent.entries[-1].start if parent.entries else parent.start
    lead = f"{json.dumps(change.path[-1], ensure_ascii=False)}: " if parent.shape is Shape.MAP else ""
    return insert_in_flow(text, parent, lead + _written(change.value, text, place, is_open=is_open))


def _written(value: Any, text: str, at: int, *, is_open: bool) -> str:
    """Writes a value; a map as a part of an open layout is laid open too, indented from the line at `at` on."""
    if not is_open or not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return json.dumps(value, ensure_ascii=False)
    line = text[line_start(text, at) :]
    margin = line[: len(line) - len(line.lstrip(" \t"))]
    lines = json.dumps(value, indent=_indent(text), ensure_ascii=False).split("\n")
    return (newline_of(text) + margin).join(lines)


def _indent(text: str) -> str:
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "


def _scan(text: str, at: int) -> Node:
    opener = text[at]
    if opener in "{[":
        return _scan_collection(text, at, is_map=opener == "{")
    found = _STRING(text, at) if opener == '"' else _ATOM(text, at)
    if found is None:
        raise ValueError(f"no JSON value at {at}")
    return Node(shape=Shape.SCALAR, start=at, end=found.end())


def _scan_collection(text: str, at: int, *, is_map: bool) -> Node:
    start = at
    entries: list[Entry] = []
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        place, key = at, len(entries)
        if is_map:
            name = _scan(text, at)
            key = json.loads(text[name.start : name.end])
            # Over the colon.
            at = _skip(text, _skip(text, name.end) + 1)
        node = _scan(text, at)
        entries.append(Entry(key=key, start=place, node=node))
        at = _skip(text, node.end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    shape = Shape.MAP if is_map else Shape.LIST
    return Node(shape=shape, start=start, end=at + 1, entries=tuple(entries), is_flow=True)


def _skip(text: str, at: int) -> int:
    found = _BLANK(text, at)
    return found.end() if found else at
