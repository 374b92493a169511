"""A dotted key in nested parameters: the keys and indices it leads along, and what may be meant where it leads nowhere."""

from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.base.errors import near_names
from offbranch.params.changes import Path, value_at


def find_path(data: Any, key: str) -> Path | None:
    """Returns the keys and indices that a dotted key leads along, as `look_up` goes, or None."""
    if isinstance(data, Mapping) and key in data:
        return (key,)
    head, dot, rest = key.partition(".")
    step = step_into(data, head)
    if step is None or not dot:
        return step
    below = find_path(data[step[0]], rest)
    return None if below is None else step + below


def step_into(data: Any, name: str) -> Path | None:
    """Returns the one key or index that a part of a dotted key names, or None."""
    if isinstance(data, Mapping) and name in data:
        return (name,)
    if not (name.isascii() and name.isdigit()):
        return None
    index = int(name)
    if isinstance(data, Mapping):
        # `True` is a key equal to 1, but nobody means it by `1`.
        return next(((key,) for key in data if key == index and not isinstance(key, bool)), None)
    return (index,) if isinstance(data, list) and index < len(data) else None


def near_keys(data: Any, key: str) -> tuple[str, ...]:
    """Returns what may have been meant: a near name at the same place, else the same name at another place."""
    above, dot, last = key.rpartition(".")
    path = find_path(data, above) if dot else ()
    parent = None if path is None else value_at(data, path)
    if isinstance(parent, dict) and (near := near_names(last, map(str, parent))):
        return tuple(f"{above}{dot}{name}" for name in near)
    return tuple(name for name in _all_keys(data) if name.rpartition(".")[2] == last)[:3] or near_names(
        key, _all_keys(data)
    )


def _all_keys(data: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield f"{prefix}{key}"
            yield from _all_keys(value, f"{prefix}{key}.")
