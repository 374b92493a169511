"""Changes in the text of a TOML file, through tomlkit, which keeps comments, order and the style of what it leaves."""

from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from offbranch.params.changes import Change, Put, Remove, cannot_edit, same_data, value_at
from offbranch.params.files import parse_text


def edit(text: str, change: Change, wanted: Any, path: str) -> str:
    """Returns the text after a change.

    Args:
        text: Valid TOML.
        change: What to do.
        wanted: The whole data after it.
        path: The file, for messages.

    Raises:
        OffbranchError: The change cannot be made in this text: TOML has no null, for one.
    """
    if isinstance(change, Put) and _holds_null(change.value):
        raise cannot_edit(change, path, "TOML has no null", hint="delete the key, or keep the parameters in YAML")
    try:
        document = tomlkit.parse(text)
        _apply(document, change)
        edited = _with_line_breaks(tomlkit.dumps(document), text)
    except (TOMLKitError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise cannot_edit(change, path, str(error)) from error
    if not same_data(parse_text(edited, path), wanted):
        raise cannot_edit(change, path, "the file holds it in a form that is not understood")
    return edited


def _apply(document: Any, change: Change) -> None:
    parent, last = value_at(document, change.path[:-1]), change.path[-1]
    if isinstance(change, Remove):
        del parent[last]
    elif isinstance(parent, list) and last == len(parent):
        parent.append(change.value)
    else:
        parent[last] = change.value


def _with_line_breaks(edited: str, text: str) -> str:
    """New lines get the line break of the others; tomlkit writes a bare newline."""
    if "\r\n" not in text or "\n" in text.replace("\r\n", ""):
        return edited
    return edited.replace("\r\n", "\n").replace("\n", "\r\n")


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_null, value.values()))
    return any(map(_holds_null, value)) if isinstance(value, list) else value is None
