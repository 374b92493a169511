"""Finding a dotted key in nested parameters, and flattening them.

A key such as `train.layers.0` leads through maps and lists. A map key that itself contains dots is found before its
parts, so both ways of writing work.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def look_up(data: Any, key: str) -> Any:
    """Returns the value at a dotted key, or MISSING."""
    if isinstance(data, Mapping) and key in data:
        return data[key]
    head, dot, rest = key.partition(".")
    value = _child(data, head)
    return value if not dot or value is MISSING else look_up(value, rest)


def _child(data: Any, name: str) -> Any:
    if isinstance(data, Mapping):
        if name in data:
            return data[name]
        return data.get(int(name), MISSING) if name.isdigit() else MISSING
    if isinstance(data, Sequence) and not isinstance(data, str) and name.isdigit() and int(name) < len(data):
        return data[int(name)]
    return MISSING


def flatten(data: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (dotted key, leaf) of nested maps in their order; lists and empty maps are leaves."""
    if isinstance(data, Mapping) and (data or not prefix):
        for key, value in data.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, data
