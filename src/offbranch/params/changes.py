"""One elementary change of the data of a parameter file, and the strict comparison that proves an edit right.

An override comes down to such changes (`apply.py`); each editor (`edit_*.py`) carries one out in the text of a file.
"""

from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.records import record

Path = tuple[Any, ...]


@record
class Put:
    """Gives a place a value.

    Attributes:
        path: Keys of maps as they are in the data, indices of lists; the last may be new, an index one past the end.
        value: Plain data.
    """

    path: Path
    value: Any


@record
class Remove:
    """Takes an entry of a map or list away."""

    path: Path


Change = Put | Remove


def apply_change(data: Any, change: Change) -> None:
    """Makes a change in nested dicts and lists, in place."""
    parent, last = value_at(data, change.path[:-1]), change.path[-1]
    if isinstance(change, Remove):
        del parent[last]
    elif isinstance(parent, list) and last == len(parent):
        parent.append(copy_of(change.value))
    else:
        parent[last] = copy_of(change.value)


def value_at(data: Any, path: Path) -> Any:
    """Returns what stands at a path that exists."""
    for step in path:
        data = data[step]
    return data


def copy_of(data: Any) -> Any:
    """Returns a copy in which nothing is shared, not even what YAML aliases share."""
    if isinstance(data, dict):
        return {key: copy_of(value) for key, value in data.items()}
    return [copy_of(item) for item in data] if isinstance(data, list) else data


def same_data(a: Any, b: Any) -> bool:
    """Tells whether two values are equal in every type: 1 is not 1.0 and not true; nan is nan; keys in any order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        # The types of keys too: 1, 1.0 and true are one key for Python.
        return (
            len(a) == len(b)
            and all(key in b and same_data(value, b[key]) for key, value in a.items())
            and {(type(key), key) for key in a} == {(type(key), key) for key in b}
        )
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same_data, a, b))
    return bool(a == b and str(a) == str(b)) or (a != a and b != b)


def dotted(path: Path) -> str:
    """Returns a path as the user writes it."""
    return ".".join(map(str, path))


def cannot_edit(change: Change, path: str, reason: str, *, hint: str | None = None) -> OffbranchError:
    """Returns the error for a change that a file cannot take."""
    verb = "change" if isinstance(change, Put) else "remove"
    return OffbranchError(
        f"cannot {verb} '{dotted(change.path)}' in '{path}': {reason}", hint=hint or f"edit '{path}' by hand"
    )
