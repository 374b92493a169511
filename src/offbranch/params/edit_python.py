"""Changes in the text of a Python parameter file, at the places of its syntax tree; all other code stays as it is."""

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.records import record
from offbranch.params.changes import Change, Path, Put, cannot_edit, same_data
from offbranch.params.files import parse_text
from offbranch.params.read_python import Assignment, assignments, init_assignments, literal, syntax_tree
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

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
# A name assigned more often than this in one scope is no parameter of anybody.
_MAX_REPEATED = 50


@record
class _Source:
    """A text, and where its lines start: the tree counts in lines and bytes of UTF-8."""

    text: str
    starts: tuple[int, ...]

    def place(self, line: int, column: int) -> int:
        start = self.starts[line - 1]
        if self.text[start : start + column].isascii():
            return start + column
        return start + len(self.text[start : start + column].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end = self.place(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return self.place(node.lineno, node.col_offset), end


def edit(text: str, change: Change, wanted: Any, path: str) -> str:
    """Returns the text after a change.

    Args:
        text: Valid Python.
        change: What to do.
        wanted: The parameters after it.
        path: The file, for messages.

    Raises:
        OffbranchError: The change cannot be made: the place shares its literal with another name, for one.
    """
    edited = _put(text, change, path) if isinstance(change, Put) else _remove(text, change.path, path)
    if edited is not None and _reads_as(edited, wanted, path):
        return edited
    raise cannot_edit(change, path, "no literal of its own can stand there")


def _reads_as(text: str, wanted: Any, path: str) -> bool:
    try:
        return same_data(parse_text(text, path), wanted)
    except BadInputError:
        return False


def _source(text: str) -> _Source:
    lengths = (len(line) for line in _LINES.findall(text))
    return _Source(text=text, starts=(0, *accumulate(lengths)))


def _put(text: str, change: Put, path: str) -> str | None:
    source, tree = _source(text), syntax_tree(text, path)
    scope, rest = _scope(tree, change.path)
    if not rest:
        return None
    found = _last_assignment(scope, rest[0])
    if found is None:
        return _insert_statement(source, scope, f"{rest[0]} = {_written(change.value)}") if len(rest) == 1 else None
    nodes, taken = follow(_node(source, found.value), rest[1:])
    node = nodes[-1]
    if taken == len(rest) - 1:
        return put_text(text, node.start, node.end, _written(change.value, text[node.start : node.end]))
    if taken < len(rest) - 2 or node.shape is Shape.SCALAR:
        return None
    lead = f"{rest[-1]!r}: " if node.shape is Shape.MAP else ""
    return insert_in_flow(text, node, lead + _written(change.value))


def _remove(text: str, place: Path, path: str) -> str | None:
    for _ in range(_MAX_REPEATED):
        source, tree = _source(text), syntax_tree(text, path)
        scope, rest = _scope(tree, place)
        if not rest:
            return _remove_statement(source, tree, scope) if isinstance(scope, ast.ClassDef) else None
        found = _last_assignment(scope, rest[0])
        if found is None:
            return text
        if len(rest) > 1:
            nodes, taken = follow(_node(source, found.value), rest[1:])
            position = find_entry(nodes[-2], rest[-1]) if taken == len(rest) - 1 else None
            return None if position is None else remove_from_flow(text, nodes[-2], position)
        text = _remove_statement(source, tree, found.statement)
    return None


def _scope(tree: ast.Module, path: Path) -> tuple[ast.Module | ast.ClassDef, Path]:
    """Returns the innermost class that the beginning of a path leads to, and the rest of the path."""
    scope: ast.Module | ast.ClassDef = tree
    while path:
        named = [item for item in assignments(scope.body) if item.name == path[0]]
        if not named or not isinstance(named[-1], ast.ClassDef):
            break
        scope, path = named[-1], path[1:]
    return scope, path


def _last_assignment(scope: ast.Module | ast.ClassDef, name: Any) -> Assignment | None:
    found = [item for item in _assignments_in(scope) if item.name == name]
    return found[-1] if found else None


def _assignments_in(scope: ast.Module | ast.ClassDef) -> Iterator[Assignment]:
    yield from (item for item in assignments(scope.body) if isinstance(item, Assignment))
    if isinstance(scope, ast.ClassDef):
        yield from init_assignments(scope)


def _node(source: _Source, expression: ast.expr) -> Node:
    start, end = source.span(expression)
    if isinstance(expression, ast.Dict):
        keys = [(literal(key), source.span(key)[0]) for key in expression.keys if key is not None]
        entries = tuple(
            Entry(key=key, start=place, node=_node(source, value))
            for (key, place), value in zip(keys, expression.values, strict=True)
        )
        return Node(shape=Shape.MAP, start=start, end=end, entries=entries, is_flow=True)
    if isinstance(expression, ast.List | ast.Tuple):
        nodes = [_node(source, item) for item in expression.elts]
        entries = tuple(Entry(key=n, start=node.start, node=node) for n, node in enumerate(nodes))
        return Node(shape=Shape.LIST, start=start, end=end, entries=entries, is_flow=True)
    return Node(shape=Shape.SCALAR, start=start, end=end)


def _insert_statement(source: _Source, scope: ast.Module | ast.ClassDef, statement: str) -> str:
    """Adds a line behind the last parameter of a scope, or behind all of it."""
    text, newline = source.text, newline_of(source.text)
    body: Sequence[ast.stmt] = [i if isinstance(i, ast.ClassDef) else i.statement for i in assignments(scope.body)]
    body = [each for each in body if not isinstance(each, ast.ClassDef)] or scope.body
    if not body:
        return f"{text}{newline if text and not text.endswith(newline) else ''}{statement}{newline}"
    start, end = source.span(body[-1])
    margin = text[line_start(text, start) : start]
    place = line_end(text, end)
    return put_text(text, place, place, f"{newline}{margin}{statement}")


def _remove_statement(source: _Source, tree: ast.Module, statement: ast.stmt) -> str:
    text = source.text
    start, end = source.span(statement)
    if isinstance(statement, ast.ClassDef) and statement.decorator_list:
        start = line_start(text, source.span(statement.decorator_list[0])[0])
    if _is_alone(tree, statement):
        return put_text(text, start, end, "pass")
    return put_text(text, line_start(text, start), next_line(text, end), "")


def _is_alone(tree: ast.Module, statement: ast.stmt) -> bool:
    """Tells whether a statement is all that a class or function has."""
    return any(
        isinstance(outer, ast.ClassDef | ast.FunctionDef) and outer.body == [statement] for outer in ast.walk(tree)
    )


def _written(value: Any, old: str = "") -> str:
    """Writes a value; a list in place of a tuple or set is written as one."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        items = ", ".join(map(_written, value))
        if old[:1] == "(":
            return f"({items},)" if len(value) == 1 else f"({items})"
        as_set = f"{{{items}}}"
        # Of a set the order and repeated members are lost.
        return as_set if old[:1] == "{" and _reads_as_literal(as_set, value) else f"[{items}]"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        # The only literal that is infinite.
        return "1e999" if value > 0 else "-1e999"
    written = repr(value)
    if isinstance(value, str) and old[:1] == '"' and written[0] == "'" and '"' not in value:
        return f'"{written[1:-1]}"'.replace("\\'", "'")
    return written


def _reads_as_literal(text: str, value: Any) -> bool:
    try:
        return same_data(literal(ast.parse(text, mode="eval").body), value)
    except (ValueError, TypeError, SyntaxError):
        return False
