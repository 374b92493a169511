"""Changes in the text of a YAML file at the places that ruamel.yaml's parser marks: any value, in any style.

Loaded by name, for what `edit_yaml.py` does not find by looking at lines. Nothing is verified here: the caller reads the
result again.
"""

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from offbranch.base.errors import BadInputError
from offbranch.base.yaml import load_yaml
from offbranch.params.changes import Change, Path, Put, value_at
from offbranch.params.files import parse_text
from offbranch.params.spans import (
    Entry,
    Node,
    Shape,
    find_entry,
    follow,
    insert_in_flow,
    line_end,
    line_start,
    newline_of,
    next_line,
    put_text,
    remove_from_flow,
)
from offbranch.params.yaml_text import block_lines, entry_lines, flow_text, scalar_text

_ANCHOR = re.compile(r"&\S+\s+").match
_PROPERTIES = re.compile(r"^(?:\s*[&!]\S*)+")
# The key of a merge, `<<`: no key of the data, so nothing is found under it.
_MERGE = object()


def edit_by_marks(text: str, change: Change, wanted: Any) -> str | None:
    """Returns the text after a change, or None when this way does not know how.

    Args:
        text: Valid YAML with a map on top, or empty.
        change: What to do.
        wanted: The whole data after it.
    """
    root = read_nodes(text)
    if root is None:
        return _top_entry(text, change) if isinstance(change, Put) else None
    names = _anchors_used(root, change.path)
    if names:
        # The change would show in every alias too: they get a copy of what they stand for.
        text = _without_aliases(text, root, names)
        root = read_nodes(text)
        if root is None:
            return None
    return _put(text, root, change, wanted) if isinstance(change, Put) else _remove(text, root, change.path)


def read_nodes(text: str) -> Node | None:
    """Returns the tree of a YAML text, None when it is empty."""
    events = YAML(typ="safe").parse(text)
    for event in events:
        if isinstance(event, ScalarEvent | AliasEvent | MappingStartEvent | SequenceStartEvent):
            return _node(event, events, text)
    return None


def _node(event: Any, events: Iterator[Any], text: str) -> Node:
    start, end, anchor = event.start_mark.index, event.end_mark.index, event.anchor
    if isinstance(event, AliasEvent):
        return Node(shape=Shape.ALIAS, start=start, end=end, anchor=anchor)
    if isinstance(event, ScalarEvent):
        # A block scalar ends at the next line that is not its own.
        end = start + len(text[start:end].rstrip())
        return Node(shape=Shape.SCALAR, start=start, end=end, anchor=anchor)
    if isinstance(event, MappingStartEvent):
        entries, close = _map_entries(events, text)
        shape = Shape.MAP
    else:
        entries, close = _list_entries(events, text, is_flow=event.flow_style)
        shape = Shape.LIST
    # The parser ends a block collection only where the next token begins.
    end = close.end_mark.index if event.flow_style else entries[-1].node.end
    return Node(shape=shape, start=start, end=end, entries=entries, is_flow=bool(event.flow_style), anchor=anchor)


def _map_entries(events: Iterator[Any], text: str) -> tuple[tuple[Entry, ...], Any]:
    entries: list[Entry] = []
    for event in events:
        if not isinstance(event, ScalarEvent | AliasEvent | MappingStartEvent | SequenceStartEvent):
            return tuple(entries), event
        key = _node(event, events, text)
        value = _node(next(events), events, text)
        entries.append(Entry(key=_key_value(event, key, text), start=key.start, key_end=key.end, node=value))
    raise AssertionError("the parser ends every map it begins")


def _list_entries(events: Iterator[Any], text: str, *, is_flow: bool) -> tuple[tuple[Entry, ...], Any]:
    entries: list[Entry] = []
    for event in events:
        if not isinstance(event, ScalarEvent | AliasEvent | MappingStartEvent | SequenceStartEvent):
            return tuple(entries), event
        item = _node(event, events, text)
        start = item.start if is_flow else max(text.rfind("-", 0, item.start), 0)
        entries.append(Entry(key=len(entries), start=start, node=item))
    raise AssertionError("the parser ends every list it begins")


def _key_value(event: Any, node: Node, text: str) -> Any:
    if not isinstance(event, ScalarEvent):
        return _MERGE
    written = text[node.start : node.end]
    if written == "<<":
        return _MERGE
    if not event.implicit[0] and event.tag is None:
        return event.value
    try:
        return load_yaml(written, "")
    except BadInputError:
        return _MERGE


def _put(text: str, root: Node, change: Put, wanted: Any) -> str | None:
    nodes, taken = follow(root, change.path)
    if taken == len(change.path):
        return _replace(text, nodes, change.path, change.value)
    node = nodes[-1]
    if node.shape is Shape.ALIAS:
        # The alias becomes what it stands for, with the change in it.
        return put_text(text, node.start, node.end, flow_text(value_at(wanted, change.path[:taken])))
    # Deeper steps are in the data only through a merge: the first of them is written out below its own key.
    key, value = change.path[taken], value_at(wanted, change.path[: taken + 1])
    if node.shape is Shape.SCALAR:
        return None
    if node.is_flow:
        lead = f"{scalar_text(key)}: " if node.shape is Shape.MAP else ""
        return insert_in_flow(text, node, lead + flow_text(value))
    return _insert_block_entry(text, node, key, value)


def _replace(text: str, nodes: list[Node], path: Path, value: Any) -> str | None:
    node, parent = nodes[-1], nodes[-2]
    if node.shape in (Shape.MAP, Shape.LIST) and not node.is_flow:
        return _replace_block(text, node, parent, path[-1], value)
    anchor = _ANCHOR(text, node.start) if node.shape is not Shape.ALIAS else None
    start = anchor.end() if anchor is not None and anchor.end() <= node.end else node.start
    first = text[start : start + 1]
    written = flow_text(value, first if first in ("'", '"') else "")
    if node.start == node.end:
        # An empty value: the place is right behind the colon or dash.
        written = f" {written}"
    return put_text(text, start, node.end, written)


def _replace_block(text: str, node: Node, parent: Node, key: Any, value: Any) -> str | None:
    found = find_entry(parent, key)
    if found is None:
        return None
    entry = parent.entries[found]
    same_kind = (isinstance(value, dict) and node.shape is Shape.MAP) or (
        isinstance(value, list) and node.shape is Shape.LIST
    )
    start = node.entries[0].start
    if value and same_kind:
        margin = " " * (start - line_start(text, start))
        return put_text(text, start, node.end, (newline_of(text) + margin).join(block_lines(value)))
    if line_start(text, entry.start) == line_start(text, start):
        return put_text(text, start, node.end, flow_text(value))
    # `key:` has a line of its own; the value joins it, before a comment there.
    colon = text.find(":", entry.key_end)
    header = _PROPERTIES.sub("", text[colon + 1 : line_end(text, colon)])
    return put_text(text, colon, line_end(text, node.end), f": {flow_text(value)}{header}")


def _insert_block_entry(text: str, node: Node, key: Any, value: Any) -> str:
    last = node.entries[-1]
    margin = " " * (last.start - line_start(text, last.start))
    lead = f"{scalar_text(key)}:" if node.shape is Shape.MAP else "-"
    lines = entry_lines(lead, value)
    place = line_end(text, max(last.node.end, last.start))
    newline = newline_of(text)
    return put_text(text, place, place, "".join(f"{newline}{margin}{line}" for line in lines))


def _top_entry(text: str, change: Put) -> str:
    newline = newline_of(text)
    lines = entry_lines(f"{scalar_text(change.path[0])}:", change.value)
    gap = "" if not text or text.endswith("\n") else newline
    return text + gap + "".join(f"{line}{newline}" for line in lines)


def _remove(text: str, root: Node, path: Path) -> str | None:
    nodes, taken = follow(root, path)
    if taken < len(path):
        return None
    parent = nodes[-2]
    found = find_entry(parent, path[-1])
    if found is None:
        return None
    if parent.is_flow:
        return remove_from_flow(text, parent, found)
    if len(parent.entries) == 1:
        return _emptied(text, nodes[:-1], path[:-1], parent)
    entry = parent.entries[found]
    start = line_start(text, entry.start)
    if not text[start : entry.start].strip():
        return put_text(text, start, next_line(text, max(entry.node.end, entry.start)), "")
    if found + 1 < len(parent.entries):
        # It shares its line with the dash of a list; its successor moves up.
        return put_text(text, entry.start, parent.entries[found + 1].start, "")
    return None


def _emptied(text: str, nodes: list[Node], path: Path, parent: Node) -> str | None:
    empty: Any = {} if parent.shape is Shape.MAP else []
    if path:
        return _replace(text, nodes, path, empty)
    start = line_start(text, parent.entries[0].start)
    end = line_end(text, max(parent.end, parent.entries[0].start))
    return put_text(text, start, end, flow_text(empty))


def _anchors_used(root: Node, path: Path) -> frozenset[str]:
    """Returns the anchors on the way to a place that some alias of the text names."""
    nodes, _ = follow(root, path)
    carried = {node.anchor for node in nodes if node.anchor and node.shape is not Shape.ALIAS}
    return frozenset(alias.anchor for alias in _aliases(root) if alias.anchor in carried and alias.anchor)


def _aliases(node: Node) -> Iterator[Node]:
    if node.shape is Shape.ALIAS:
        yield node
    for entry in node.entries:
        yield from _aliases(entry.node)


def _without_aliases(text: str, root: Node, names: frozenset[str]) -> str:
    data = parse_text(text, "")
    values = {node.anchor: value_at(data, path) for path, node in _anchored(root, ()) if node.anchor in names}
    for alias in sorted(_aliases(root), key=lambda node: node.start, reverse=True):
        if alias.anchor in values:
            text = put_text(text, alias.start, alias.end, flow_text(values[alias.anchor]))
    return text


def _anchored(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    if node.anchor and node.shape is not Shape.ALIAS:
        yield path, node
    for entry in node.entries:
        if entry.key is not _MERGE:
            yield from _anchored(entry.node, (*path, entry.key))
