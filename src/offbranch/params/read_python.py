"""Parameters in a Python file, read from its syntax tree; nothing of the file is ever run.

A parameter is a name that is assigned a literal at the top level, in the body of a class, or as `self.name` in the
`__init__` of a class; a class is a map of its own. Assignments of anything else, and all other statements, are passed
over. `assignments` also tells where each literal stands, for the editor.
"""

import ast
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.records import record


@record
class Assignment:
    """One name that gets one value.

    Attributes:
        name: The name assigned.
        value: The expression, always a literal.
        statement: The whole statement; it may assign more names.
    """

    name: str
    value: ast.expr
    statement: ast.stmt


def parse_python(text: str, path: str) -> dict[str, Any]:
    """Returns the parameters of a Python text.

    Raises:
        BadInputError: It is not Python.
    """
    return _values(syntax_tree(text, path).body)


def syntax_tree(text: str, path: str) -> ast.Module:
    """Returns the parsed text.

    Raises:
        BadInputError: It is not Python.
    """
    try:
        with warnings.catch_warnings():
            # A wrong escape in some string of the user is no concern of ours.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise BadInputError(
            f"not valid Python: {error.msg}", path=path, line=error.lineno, column=error.offset
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise BadInputError(f"not valid Python: {str(error) or 'nested too deeply'}", path=path) from error


def assignments(body: Sequence[ast.stmt]) -> Iterator[Assignment | ast.ClassDef]:
    """Yields what a body assigns, and the classes in it, in the order of the text."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield statement
        else:
            yield from _assigned(statement, on_self=False)


def init_assignments(class_: ast.ClassDef) -> Iterator[Assignment]:
    """Yields what the `__init__` of a class assigns to attributes of `self`."""
    for statement in class_.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            for inner in statement.body:
                yield from _assigned(inner, on_self=True)


def literal(expression: ast.expr) -> Any:
    """Returns the value of a literal as plain data.

    Raises:
        ValueError: It is something else, or a kind that no parameter can be.
    """
    return _plain(ast.literal_eval(expression))


def _values(body: Sequence[ast.stmt]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in assignments(body):
        if isinstance(item, Assignment):
            found[item.name] = literal(item.value)
        else:
            inner = _values(item.body)
            inner.update((each.name, literal(each.value)) for each in init_assignments(item))
            if inner:
                found[item.name] = inner
    return found


def _assigned(statement: ast.stmt, *, on_self: bool) -> Iterator[Assignment]:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        pairs = _pairs(statement.target, statement.value)
    elif isinstance(statement, ast.Assign):
        pairs = (pair for target in statement.targets for pair in _pairs(target, statement.value))
    else:
        return
    for target, value in pairs:
        name = _name(target, on_self=on_self)
        if name is not None and _is_literal(value):
            yield Assignment(name=name, value=value, statement=statement)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if not isinstance(target, ast.Tuple | ast.List):
        yield target, value
    elif isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
        for one_target, one_value in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one_target, one_value)


def _name(target: ast.expr, *, on_self: bool) -> str | None:
    if on_self:
        is_attribute = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
        return target.attr if is_attribute and target.value.id == "self" else None  # type: ignore[attr-defined]
    return target.id if isinstance(target, ast.Name) else None


def _is_literal(expression: ast.expr) -> bool:
    try:
        literal(expression)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set):
        return _ordered([_plain(item) for item in value])
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"{type(value).__name__} is no kind of parameter")


def _ordered(items: list[Any]) -> list[Any]:
    """Puts the members of a set, which have no order of their own, in one that is the same in every run."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=repr)


def _key(key: Any) -> Any:
    if key is None or isinstance(key, str | bool | int | float):
        return key
    raise ValueError(f"{type(key).__name__} is no kind of key")
