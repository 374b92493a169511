r"""Filling in `${...}`: finding expressions in texts, looking them up, and turning values into text.

An expression is a chain of words, `a.b[0]`; no functions and no operators. `\${x}` stands for the literal `${x}`. What
may be looked up is a `Context` (`pipeline/context.py` builds it); nothing here reads a file.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from offbranch.base.errors import did_you_mean
from offbranch.base.records import field, record

_EXPRESSION = re.compile(r"(?<!\\)\$\{([^}]*)\}")
_WORD = r"[^.\[\]]+"
_CHAIN = re.compile(rf"{_WORD}(?:\.{_WORD}|\[{_WORD}\] *)*").fullmatch
_PART = re.compile(_WORD)


class _Absent:
    __slots__ = ()


ABSENT: Final = _Absent()


@record
class ParsingOptions:
    """How a map in a command becomes options (configuration section `parsing`).

    Attributes:
        bool: `store_true` leaves a false one out; `boolean_optional` writes `--no-name`.
        list: `nargs` writes `--name 1 2`; `append` writes `--name 1 --name 2`.
    """

    bool: str = "store_true"
    list: str = "nargs"


@record
class Source:
    """One map that a context is merged from.

    Attributes:
        name: How messages call it: a path of the project, or a place such as `vars[0]`.
        values: The map.
        is_file: Whether `name` is a path.
    """

    name: str
    values: Mapping[str, Any]
    is_file: bool


@record
class Context:
    """What `${}` may refer to, by name.

    Attributes:
        values: Merged maps of all sources.
        sources: In the order they were merged.
        options: How a map in a command is written.
        used: File -> dotted keys that expressions have read from it; grows while resolving.
    """

    values: Mapping[str, Any]
    sources: tuple[Source, ...] = ()
    options: ParsingOptions = field(default_factory=ParsingOptions)
    used: dict[str, dict[str, None]] = field(default_factory=dict)


class InterpolationError(Exception):
    """An expression that cannot be filled in; the caller adds the place."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def has_expression(value: Any) -> bool:
    """Tells whether any text inside a value has `${`, escaped or not."""
    return "${" in repr(value)


def fill(value: Any, context: Context) -> Any:
    """Returns a value with every expression in it filled in: texts, map keys, list items.

    A text that is one expression takes the type of what it names.

    Raises:
        InterpolationError: An expression is malformed, names nothing, or names a list or map.
    """
    if isinstance(value, str):
        return _fill_text(value, context, _plain_text) if "${" in value else value
    if isinstance(value, Mapping):
        return {fill(key, context): fill(child, context) for key, child in value.items()}
    if isinstance(value, list):
        return [fill(child, context) for child in value]
    return value


def fill_command(text: str, context: Context) -> str:
    """Returns a command with its expressions filled in, a map as options.

    Raises:
        InterpolationError: As `fill`, or a list inside a list.
    """
    if "${" not in text:
        return text
    filled = _fill_text(text, context, lambda value, name: _in_command(value, name, context.options))
    return filled if isinstance(filled, str) else _in_command(filled, text, context.options)


def fill_whole(text: str, context: Context) -> Any:
    """Returns what a text that is one expression names, lists and maps too; any other text like `fill`.

    Raises:
        InterpolationError: As `fill`.
    """
    match = _EXPRESSION.fullmatch(text.strip())
    return look_up(match[1], context) if match else fill(text, context)


def look_up(expression: str, context: Context) -> Any:
    """Returns what an expression names.

    Raises:
        InterpolationError: It is malformed or names nothing.
    """
    written = expression.strip()
    if not _CHAIN(written):
        raise InterpolationError(
            f"'${{{expression}}}' is not an expression",
            "write names with dots and positions: ${train.lr}, ${layers[0]}",
        )
    value: Any = context.values
    parts = [part.strip() for part in _PART.findall(written) if part.strip()]
    for n, part in enumerate(parts):
        child = _child(value, part)
        if child is ABSENT:
            raise InterpolationError(f"'{'.'.join(parts)}' is not defined", _near(parts[:n], part, value))
        value = child
    for source in context.sources:
        if source.is_file and parts[0] in source.values:
            context.used.setdefault(source.name, {})[".".join(parts)] = None
    return value


def as_text(value: Any) -> str:
    """Returns a scalar as it is written inside a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _child(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        if part in value:
            return value[part]
        if part.lstrip("-").isdigit():
            return value.get(int(part), ABSENT)
        return ABSENT
    if isinstance(value, list) and part.lstrip("-").isdigit():
        position = int(part)
        return value[position] if -len(value) <= position < len(value) else ABSENT
    return ABSENT


def _near(before: list[str], part: str, value: Any) -> str | None:
    if isinstance(value, Mapping):
        known = [".".join((*before, str(key))) for key in value]
        near = did_you_mean(".".join((*before, part)), known)
        if near:
            return near
    # The name may be right but for its case, or only the map it is in left out.
    wanted = part.lower()
    deeper = [name for name in _dotted(value, ".".join(before)) if name.rpartition(".")[2].lower() == wanted]
    if deeper:
        return f"did you mean {' or '.join(repr(name) for name in deeper[:3])}?"
    return "define it in params.yaml, or under 'vars'"


def _dotted(value: Any, prefix: str, depth: int = 0) -> Iterator[str]:
    if isinstance(value, Mapping) and depth < 5:
        for key, child in value.items():
            name = f"{prefix}.{key}" if prefix else str(key)
            yield name
            yield from _dotted(child, name, depth + 1)


def _fill_text(text: str, context: Context, render: Callable[[Any, str], str]) -> Any:
    matches = list(_EXPRESSION.finditer(text))
    if len(matches) == 1 and matches[0][0] == text:
        value = look_up(matches[0][1], context)
        return render(value, matches[0][1]) if isinstance(value, list | Mapping) else value
    pieces: list[str] = []
    end = 0
    for match in matches:
        pieces += (text[end : match.start()], render(look_up(match[1], context), match[1]))
        end = match.end()
    # Values take part in this, as they do in DVC: an escaped expression inside a value is unescaped once inserted.
    return "".join((*pieces, text[end:])).replace(r"\${", "${")


def _plain_text(value: Any, name: str) -> str:
    if isinstance(value, list | Mapping):
        kind = "a list" if isinstance(value, list) else "a mapping"
        raise InterpolationError(
            f"'${{{name}}}' is {kind}, which cannot be written here",
            "name one of its values; a mapping may only stand in 'cmd', a list only in 'foreach' and 'matrix'",
        )
    return as_text(value)


def _in_command(value: Any, name: str, options: ParsingOptions) -> str:
    if not isinstance(value, Mapping):
        return _plain_text(value, name)
    return " ".join(_options(value, name, options, ""))


def _options(value: Mapping[str, Any], name: str, options: ParsingOptions, prefix: str) -> Iterator[str]:
    for key, child in value.items():
        option = f"{prefix}{key}"
        if isinstance(child, Mapping):
            yield from _options(child, name, options, f"{option}.")
        elif isinstance(child, bool):
            if child:
                yield f"--{option}"
            elif options.bool == "boolean_optional":
                yield f"--no-{option}"
        elif isinstance(child, list):
            if any(isinstance(item, list | Mapping) for item in child):
                raise InterpolationError(
                    f"'${{{name}}}' has a list or mapping inside the list '{option}', which no option can hold"
                )
            # DVC writes a boolean inside a list as Python does, and an empty list not at all.
            words = [_quote(item) if isinstance(item, str) else str(item) for item in child]
            if not words:
                continue
            if options.list == "append":
                yield from (f"--{option} {word}" for word in words)
            else:
                yield " ".join((f"--{option}", *words))
        else:
            yield f"--{option} {_quote(child)}"


def _quote(value: Any) -> str:
    return shlex.quote(value) if isinstance(value, str) else as_text(value)
