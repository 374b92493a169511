"""Values that training programs hand over: numbers of any library to plain ones, parameters to plain data.

Nothing of those libraries is imported: their values are known by what they can do.
"""

import math
from collections.abc import Mapping
from typing import Any

from offbranch.live.errors import InvalidDataTypeError, InvalidParameterTypeError

_PLAIN = (bool, int, float, str)


def metric_value(name: str, value: object) -> tuple[str, bool | int | float | str]:
    """Returns a metric as its text in a table and as the value of the summary.

    NumPy's scalars keep the digits that they show; tensors and arrays of one element count as that element.

    Raises:
        InvalidDataTypeError: It is neither a number nor text.
    """
    plain = _single(value)
    if not isinstance(plain, _PLAIN):
        raise InvalidDataTypeError(name, value)
    is_shown_shorter = not isinstance(value, _PLAIN) and getattr(value, "ndim", None) == 0 and hasattr(value, "tobytes")
    text = str(value) if is_shown_shorter else str(plain)
    if isinstance(plain, float) and not math.isfinite(plain):
        return str(float(plain)), str(float(plain))
    if isinstance(value, _PLAIN) and type(value) not in _PLAIN:
        plain = _base_of(plain)  # a subclass, such as that of NumPy's doubles
    return text, plain


def is_metric(value: object) -> bool:
    """Tells whether a value can be logged as a metric."""
    return isinstance(_single(value), _PLAIN)


def plain_parameter(value: Any) -> Any:
    """Returns a parameter as data that YAML has: maps, lists, scalars; numbers and arrays of other libraries as theirs.

    Raises:
        InvalidParameterTypeError: It cannot be represented.
    """
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {plain_key(key): plain_parameter(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_parameter(item) for item in value]
    if isinstance(value, bytes):
        return value
    if isinstance(value, set | frozenset):
        return {plain_key(item) for item in value}
    if _is_date(value):
        return value
    if isinstance(value, _PLAIN) and not hasattr(
        value, "name"
    ):  # an enumeration has a name, and says more than its value
        return _base_of(value)
    as_date = getattr(value, "to_pydatetime", None)  # what pandas calls a time
    if callable(as_date) and not isinstance(value, type):
        return plain_parameter(as_date())
    to_list = getattr(value, "tolist", None)
    if callable(to_list) and not isinstance(value, type):
        return plain_parameter(to_list())
    raise InvalidParameterTypeError(f"cannot represent an object: {value!r}"[:300])


def plain_key(key: Any) -> Any:
    """Returns the name of a parameter, or what is in a set, as data that YAML has.

    Raises:
        InvalidParameterTypeError: It cannot be represented.
    """
    if key is None or type(key) in _PLAIN:
        return key
    if isinstance(key, tuple):
        return tuple(plain_key(part) for part in key)
    plain = plain_parameter(key)
    if isinstance(plain, _PLAIN):
        return plain
    raise InvalidParameterTypeError(f"cannot represent an object: {key!r}"[:300])


def _is_date(value: object) -> bool:
    """Tells whether a value is a date, or one with a time: those of the standard library, which is not loaded for this."""
    kind = type(value)
    return kind.__module__ == "datetime" and kind.__name__ in ("date", "datetime")


def _base_of(value: bool | int | float | str) -> bool | int | float | str:
    for kind in (float, int, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _single(value: object) -> object:
    """Returns the one element of a scalar, array or tensor as Python's own number; anything else as it is."""
    if isinstance(value, _PLAIN):
        return value
    item = getattr(value, "item", None)
    if not callable(item) or isinstance(value, type):
        return value
    shape = getattr(value, "shape", ())
    try:
        return item() if all(int(size) == 1 for size in shape) else value
    except (TypeError, ValueError, RuntimeError):
        return value
