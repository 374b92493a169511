"""What is wrong in a document of dvc.yaml or a .dvc file, and the checks of single values.

A check returns the first fault; the line is only looked for (by parsing again) once there is one.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from offbranch.base.errors import BadInputError, did_you_mean
from offbranch.base.records import record
from offbranch.base.yaml import line_of

Key = tuple[str | int, ...]

_NUL_ESCAPE = re.compile(r"\\(?:0|x00|u0000|U00000000)")


@record
class Fault:
    """One thing wrong in a document.

    Attributes:
        key: Where, as map keys and list positions.
        reason: What, for the user.
        hint: The way out, where there is one to tell.
    """

    key: Key
    reason: str
    hint: str | None = None


def as_error(fault: Fault, *, text: str, path: str) -> BadInputError:
    """Returns a fault as the error to raise, with line and column."""
    place = line_of(text, fault.key) if fault.key else None
    return BadInputError(
        fault.reason,
        path=path,
        line=place[0] if place else None,
        column=place[1] if place else None,
        key=key_text(fault.key) or None,
        hint=fault.hint,
    )


def key_text(key: Key) -> str:
    """Returns a place in a document as text: `stages.train.outs[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")


def kind_of(value: Any) -> str:
    """Returns what a value is, in words for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{value if len(value) <= 40 else value[:37] + '...'}'"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def expected(wanted: str, found: Any, key: Key) -> Fault:
    """Returns the fault that a value is not what it has to be."""
    return Fault(key=key, reason=f"expected {wanted}, found {kind_of(found)}")


def unknown_key(mapping: Mapping[Any, Any], known: Collection[str], key: Key) -> Fault | None:
    """Returns the fault of the first key that is not among those that are known."""
    for name in mapping:
        if name in known:
            continue
        if name == "live":
            hint: str | None = "DVC 3 has no 'live' any more: list the files under 'metrics' and 'plots'"
        else:
            hint = did_you_mean(str(name), known) or f"allowed here: {', '.join(sorted(known))}"
        return Fault(key=(*key, name), reason="unknown key", hint=hint)
    return None


def text_fault(value: Any, key: Key) -> Fault | None:
    """Returns the fault of a value that is no text."""
    return None if isinstance(value, str) else expected("text", value, key)


def boolean_fault(value: Any, key: Key) -> Fault | None:
    """Returns the fault of a value that is neither true nor false."""
    return None if isinstance(value, bool) else expected("true or false", value, key)


def texts_fault(value: Any, key: Key) -> Fault | None:
    """Returns the fault of a value that is no list of texts, none of them empty."""
    if not isinstance(value, list):
        return expected("a list of texts", value, key)
    for position, item in enumerate(value):
        if not isinstance(item, str):
            return expected("text", item, (*key, position))
        if not item:
            return Fault(key=(*key, position), reason="a path is empty")
    return None


def list_fault(value: Any, key: Key) -> Fault | None:
    """Returns the fault of a value that is no list."""
    return None if isinstance(value, list) else expected("a list", value, key)


def nul_fault(document: Any, text: str) -> Fault | None:
    """Returns the fault of a document in which a text holds the character NUL."""
    if _NUL_ESCAPE.search(text) is None or (key := _find_nul(document)) is None:
        return None
    return Fault(key=key, reason="it holds the character NUL, which no path and no command may")


def _find_nul(value: Any, key: Key = ()) -> Key | None:
    """Returns where a text holds the character NUL (an escape, in YAML): no path and no command may."""
    if isinstance(value, str):
        return key if "\0" in value else None
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        if isinstance(name, str) and "\0" in name:
            return key
        if (found := _find_nul(child, (*key, name))) is not None:
            return found
    return None
