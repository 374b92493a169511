"""Reading parameter files: YAML, JSON, TOML and Python, chosen by suffix; an unknown suffix is YAML.

Each format is loaded only when a file of it is met. Editing is in `edit_*.py`. What comes out is plain data: a mapping
of maps, lists and scalars; tuples and sets of Python are lists.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.files import decode
from offbranch.base.plugins import load
from offbranch.base.yaml import load_yaml

_TOML_PLACE = re.compile(r"\s*\(at line (\d+), column (\d+)\)|\s*\(at end of document\)")


class Format(Enum):
    """The kinds of parameter files."""

    YAML = "YAML"
    JSON = "JSON"
    TOML = "TOML"
    PYTHON = "Python"


_FORMATS = {".json": Format.JSON, ".toml": Format.TOML, ".py": Format.PYTHON}


def format_of(path: str) -> Format:
    """Returns what kind of parameter file a path names."""
    name = path.rpartition("/")[2]
    return _FORMATS.get(name[name.rfind(".") :].lower(), Format.YAML) if "." in name else Format.YAML


def parse_params(content: bytes, path: str) -> Any:
    """Returns the data of a parameter file.

    Args:
        content: The file, UTF-8; an empty one (or one of comments only) is an empty mapping.
        path: Its name, which decides the format, and which messages show.

    Raises:
        BadInputError: It is malformed, or its top level is no mapping.
    """
    return parse_text(decode(content, path), path)


def parse_text(text: str, path: str) -> Any:
    """Returns the data of a parameter file from its text; see `parse_params`."""
    kind = format_of(path)
    data = _PARSERS[kind](text, path)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise BadInputError(
            f"the top level is {_KINDS.get(type(data), 'a single value')}, and parameters need a mapping",
            path=path,
            hint="write 'name: value' lines" if kind is Format.YAML else None,
        )
    return data


_KINDS: dict[type[Any], str] = {list: "a list", str: "a text"}


def _parse_json(text: str, path: str) -> Any:
    if not text.strip():
        return {}
    try:
        return load("json:loads")(text)
    except RecursionError as error:
        raise BadInputError("not valid JSON: nested too deeply", path=path) from error
    except ValueError as error:
        line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
        reason = str(getattr(error, "msg", error))
        reason = reason[:1].lower() + reason[1:]
        raise BadInputError(f"not valid JSON: {reason}", path=path, line=line, column=column) from error


def _parse_toml(text: str, path: str) -> Any:
    try:
        return load("tomllib:loads")(text)
    except RecursionError as error:
        raise BadInputError("not valid TOML: nested too deeply", path=path) from error
    except ValueError as error:
        place = _TOML_PLACE.search(str(error))
        reason = _TOML_PLACE.sub("", str(error))
        reason = reason[:1].lower() + reason[1:]
        if place is None:
            raise BadInputError(f"not valid TOML: {reason}", path=path) from error
        at_end = place[1] is None
        line = text.count("\n") + 1 if at_end else int(place[1])
        column = None if at_end else int(place[2])
        raise BadInputError(f"not valid TOML: {reason}", path=path, line=line, column=column) from error


def _parse_python(text: str, path: str) -> Any:
    return load("offbranch.params.read_python:parse_python")(text, path)


_PARSERS: dict[Format, Callable[[str, str], Any]] = {
    Format.YAML: load_yaml,
    Format.JSON: _parse_json,
    Format.TOML: _parse_toml,
    Format.PYTHON: _parse_python,
}
