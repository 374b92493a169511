"""Where the values of a text stand, and edits of what is in brackets: shared by the editors of YAML, JSON and Python.

A tree of `Node`s mirrors the data; places are counted in characters of the text.
"""

import re
from enum import Enum
from typing import Any

from offbranch.base.records import record
from offbranch.params.changes import Path


class Shape(Enum):
    """What a node is."""

    SCALAR = "scalar"
    MAP = "map"
    LIST = "list"
    ALIAS = "alias"


@record
class Node:
    """One value in a text.

    Attributes:
        shape: What it is.
        start: Where it begins, an anchor or tag of it included; of a block collection, its first entry.
        end: Behind its last character; of a block collection, behind its last value.
        entries: Of a map or list, in the order of the text.
        is_flow: Whether it is in brackets.
        anchor: The anchor it carries, or of an alias the one it names.
    """

    shape: Shape
    start: int
    end: int
    entries: tuple["Entry", ...] = ()
    is_flow: bool = False
    anchor: str | None = None


@record
class Entry:
    """One entry of a map or list.

    Attributes:
        key: Of a map its key, of a list the index.
        start: Where it begins: at the key, or at the item or its dash.
        key_end: Behind the key, before the colon; only of a YAML map.
        node: The value.
    """

    key: Any
    start: int
    key_end: int = 0
    node: Node


def find_entry(node: Node, key: Any) -> int | None:
    """Returns the position of the last entry with a key among the entries of a node, or None."""
    for n in reversed(range(len(node.entries))):
        found = node.entries[n].key
        if found == key and type(found) is type(key):
            return n
    return None


def follow(root: Node, path: Path) -> tuple[list[Node], int]:
    """Returns the nodes along a path from the root on, and how many steps of it could be taken."""
    nodes = [root]
    for n, step in enumerate(path):
        found = find_entry(nodes[-1], step)
        if found is None:
            return nodes, n
        nodes.append(nodes[-1].entries[found].node)
    return nodes, len(path)


def put_text(text: str, start: int, end: int, new: str) -> str:
    """Returns a text with a part replaced."""
    return text[:start] + new + text[end:]


def insert_in_flow(text: str, node: Node, entry: str) -> str:
    """Returns a text with one more entry at the end of a collection in brackets, set apart as its neighbours are."""
    if not node.entries:
        return put_text(text, node.start + 1, node.end - 1, entry)
    last = node.entries[-1]
    if len(node.entries) > 1:
        between = text[node.entries[-2].node.end : last.start]
    else:
        between = "," + (text[node.start + 1 : last.start] or " ")
    # A comment or a bracket between the neighbours is not for the new entry.
    if not re.fullmatch(r"\s*,\s*", between):
        newline = between.rfind("\n")
        between = ", " if newline < 0 else ",\n" + re.sub(r"\S.*", "", between[newline + 1 :])
    return put_text(text, last.node.end, last.node.end, between + entry)


def remove_from_flow(text: str, node: Node, position: int) -> str:
    """Returns a text without one entry of a collection in brackets."""
    entries = node.entries
    if len(entries) == 1:
        return put_text(text, node.start + 1, node.end - 1, "")
    if position == 0:
        return put_text(text, entries[0].start, entries[1].start, "")
    return put_text(text, entries[position - 1].node.end, entries[position].node.end, "")


def line_start(text: str, at: int) -> int:
    """Returns where the line of a place begins."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Returns where the line of a place ends, before its line break."""
    end = text.find("\n", at)
    if end < 0:
        return len(text)
    return end - 1 if text[end - 1 : end] == "\r" and end - 1 >= at else end


def next_line(text: str, at: int) -> int:
    """Returns where the line after that of a place begins."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def newline_of(text: str) -> str:
    """Returns the line break that a text uses."""
    return "\r\n" if "\r\n" in text else "\n"
