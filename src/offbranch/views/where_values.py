"""What the signs of a condition do with values: missing ones, numbers, texts, lists and tags.

Booleans count as numbers, as in the files they come from. A mistake of types is told, never guessed around.
"""

import operator
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final


class Missing(Enum):
    """The value of a name that an experiment does not have."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Tags(tuple[str, ...]):
    """The tags of an experiment: equal to a text when one of them is it."""


class Unusable(Exception):
    """Values that do not go together, or a word that means nothing; becomes an error at the edge of the language."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


_ORDER: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "Lt": ("<", operator.lt),
    "LtE": ("<=", operator.le),
    "Gt": (">", operator.gt),
    "GtE": (">=", operator.ge),
}
_ARITHMETIC: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "Add": ("+", operator.add),
    "Sub": ("-", operator.sub),
    "Mult": ("*", operator.mul),
    "Div": ("/", operator.truediv),
    "FloorDiv": ("//", operator.floordiv),
    "Mod": ("%", operator.mod),
    # With floats, so that no power takes for ever.
    "Pow": ("**", lambda a, b: float(a) ** float(b)),
}


def truth(value: Any) -> bool:
    """Returns whether a condition holds; one about a missing value does not.

    Raises:
        Unusable: The value is neither true nor false.
    """
    if isinstance(value, bool):
        return value
    if value is MISSING or value is None:
        return False
    raise Unusable(f"{_shown(value)} is neither true nor false", "compare it with something, e.g. acc > 0.9")


def compare(sign: str, a: Any, b: Any) -> bool:
    """Returns whether two values are in a relation (by the name of its node in `ast`); never with a missing one.

    Raises:
        Unusable: Such values cannot be compared.
    """
    if sign in ("Is", "IsNot"):
        if b is not None:
            raise Unusable("'is' only goes with None", "write == to compare values")
        return (a is MISSING or a is None) is (sign == "Is")
    if a is MISSING or b is MISSING:
        return False
    if sign in ("Eq", "NotEq"):
        return _equal(a, b) is (sign == "Eq")
    if sign in ("In", "NotIn"):
        return _is_in(a, b) is (sign == "In")
    if a is None or b is None:
        return False
    text, order = _ORDER[sign]
    if (_is_number(a) and _is_number(b)) or (isinstance(a, str) and isinstance(b, str)):
        return order(a, b)
    raise Unusable(
        f"{_shown(a)} {text} {_shown(b)} compares different types", "a text is compared with a text: == 'adam'"
    )


def arithmetic(sign: str, a: Any, b: Any) -> Any:
    """Returns the result of an operation on numbers; missing where an operand is, or where there is none.

    Raises:
        Unusable: An operand is not a number, or there is no such operation.
    """
    if sign not in _ARITHMETIC:
        raise Unusable("it uses what conditions do not have")
    text, operation = _ARITHMETIC[sign]
    if a is MISSING or b is MISSING or a is None or b is None:
        return MISSING
    if not (_is_number(a) and _is_number(b)):
        raise Unusable(f"{_shown(a)} {text} {_shown(b)} needs two numbers")
    try:
        result = operation(a, b)
    except (ZeroDivisionError, OverflowError):
        return MISSING
    return MISSING if isinstance(result, complex) else result


def negative(value: Any) -> Any:
    """Returns a number with the other sign.

    Raises:
        Unusable: It is not a number.
    """
    if value is MISSING or value is None:
        return MISSING
    if not _is_number(value):
        raise Unusable(f"-{_shown(value)} needs a number")
    return -value


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tags) and isinstance(b, str):
        return b in a
    if isinstance(b, Tags) and isinstance(a, str):
        return a in b
    return bool(a == b)


def _is_in(a: Any, b: Any) -> bool:
    if isinstance(b, str):
        if isinstance(a, str):
            return a in b
        raise Unusable(f"{_shown(a)} cannot be in the text {_shown(b)}")
    if isinstance(b, list | tuple):
        return any(_equal(a, item) for item in b if item is not MISSING)
    raise Unusable(f"{_shown(b)} holds nothing to be in", "e.g. opt in ('adam', 'sgd')")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= 30 else f"{value[:29]}…")
    if isinstance(value, Tags):
        return "the tags"
    return "a list" if isinstance(value, list | tuple) else "a map" if isinstance(value, Mapping) else str(value)
