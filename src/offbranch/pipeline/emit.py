"""Writing plain data as YAML in exactly the style of DVC's files, a hundred times faster than a general writer.

The style is that of ruamel.yaml's round-trip writer: block style, sequences at the column of their key, plain scalars
where possible, lines folded at 80. What this module is not sure to write the same way (quotes inside quoted texts,
several lines, dates, long keys) goes through ruamel.yaml itself. The invariant, kept by property tests: the result is
byte for byte what ruamel.yaml 0.19 writes.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.base.plugins import load
from offbranch.base.yaml_simple import NOT_SURE, has_odd, plain_scalar

WIDTH = 80
MAX_KEY = 60
_NEVER_FIRST = frozenset("#,[]{}&*!|>'\"%@`")


class _Unsure(Exception):
    """The value has something whose style this module does not know."""


def render(value: Mapping[str, Any], indent: int = 0) -> str:
    """Returns a mapping as YAML lines, each ending with a newline, beginning at column `indent` (even)."""
    try:
        return "".join(_mapping(value, indent))
    except _Unsure:
        return _by_ruamel(value, indent)


def _mapping(value: Mapping[Any, Any], indent: int, *, first: str | None = None) -> Iterator[str]:
    """Yields lines; `first` stands before the first key in place of the indentation."""
    pad = " " * indent
    lead = pad if first is None else first
    for key, child in value.items():
        head = f"{lead}{_key(key)}:"
        lead = pad
        yield from _child(child, head, indent, list_indent=indent)


def _sequence(value: list[Any], indent: int, *, first: str | None = None) -> Iterator[str]:
    pad = " " * indent
    lead = pad if first is None else first
    for child in value:
        head, lead = f"{lead}-", pad
        if isinstance(child, Mapping) and child:
            yield from _mapping(child, indent + 2, first=f"{head} ")
        elif isinstance(child, list | tuple) and child:
            yield from _sequence(list(child), indent + 2, first=f"{head} ")
        elif child is None:
            yield f"{head} \n"
        else:
            yield from _child(child, head, indent, list_indent=indent + 2)


def _child(child: Any, head: str, indent: int, *, list_indent: int) -> Iterator[str]:
    if isinstance(child, str):
        yield f"{head}{_text(child, len(head), indent + 2)}\n"
    elif isinstance(child, Mapping):
        yield f"{head}\n" if child else f"{head} {{}}\n"
        yield from _mapping(child, indent + 2)
    elif isinstance(child, list | tuple):
        yield f"{head}\n" if child else f"{head} []\n"
        yield from _sequence(list(child), list_indent)
    elif child is None:
        yield f"{head}\n"
    else:
        yield f"{head}{text_plain(_number(child), len(head), indent + 2)}\n"


def _key(key: Any) -> str:
    if type(key) is int:
        return str(key)
    if not isinstance(key, str) or len(key) > MAX_KEY:
        raise _Unsure
    style = _style(key)
    return key if style == "" else f"'{key}'"


def _number(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    if type(value) is not float:
        raise _Unsure
    if value != value:
        return ".nan"
    return {"inf": ".inf", "-inf": "-.inf"}.get(repr(value)) or repr(value)


def _style(text: str) -> str:
    """Returns the quotes of a text: none or single ones; anything else is not for us."""
    if not text:
        return "'"
    if "\n" in text or has_odd(text):
        raise _Unsure
    if _may_be_plain(text):
        meaning = plain_scalar(text)
        if meaning is NOT_SURE:
            raise _Unsure
        if type(meaning) is str:
            return ""
    if "'" in text:
        raise _Unsure
    return "'"


def _may_be_plain(text: str) -> bool:
    if text[0] in _NEVER_FIRST or text[0] == " " or text[-1] == " " or text.startswith(("---", "...")):
        return False
    if text[0] in "?:-" and text[1:2] in ("", " "):
        return False
    return not (": " in text or text[-1] == ":" or " #" in text)


def _text(text: str, column: int, indent: int) -> str:
    """Returns a text with the space before it and its quotes, folded; `column` is where the space comes."""
    if _style(text) == "":
        return text_plain(text, column, indent)
    return text_single_quoted(text, column, indent)


def text_plain(text: str, column: int, indent: int) -> str:
    """Folds a plain scalar as ruamel.yaml does; a word that would pass the width leaves its space behind."""
    column += 1
    if column + len(text) <= WIDTH:
        return f" {text}"
    pieces = [" "]
    line = "\n" + " " * indent
    spaces = 0
    for word in re.findall(" +|[^ ]+", text):
        if word[0] == " ":
            spaces = len(word)
            if spaces == 1 and column >= WIDTH:
                pieces.append(line)
                column = indent
            else:
                pieces.append(word)
                column += spaces
            continue
        if len(word) + column > WIDTH and column > indent:
            pieces.append(line)
            column = indent
        pieces.append(word)
        column += len(word)
    return "".join(pieces)


def text_single_quoted(text: str, column: int, indent: int) -> str:
    """Folds a text without quotes in it between single quotes as ruamel.yaml does."""
    column += 2
    if column + len(text) <= WIDTH:
        return f" '{text}'"
    pieces = [" '"]
    end = 0
    for word in re.findall(" +|[^ ]+", text):
        start, end = end, end + len(word)
        if word == " " and column > WIDTH and start != 0 and end != len(text):
            pieces.append("\n" + " " * indent)
            column = indent
        else:
            pieces.append(word)
            column += len(word)
    return "".join((*pieces, "'"))


def _by_ruamel(value: Mapping[str, Any], indent: int) -> str:
    """Writes through ruamel.yaml, nested as deep as the indentation says: folding depends on the column."""
    depth = indent // 2
    nested: Any = _plain_data(value)
    for _ in range(depth):
        nested = {"x": nested}
    text: str = load("offbranch.base.yaml_ruamel:dump")(nested)
    for _ in range(depth):
        text = text.partition("\n")[2]
    return text


def _plain_data(value: Any) -> Any:
    """Copies data into dicts and lists of its own: a list met twice would be written as an alias."""
    if isinstance(value, Mapping):
        return {key: _plain_data(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_data(child) for child in value]
    return value
