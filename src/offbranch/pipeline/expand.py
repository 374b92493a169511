"""Groups of stages: one definition with `foreach` or `matrix` becomes a list of members.

A member's name is `group@key`. Members come in the order written; the last axis of a matrix changes fastest.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.base.records import record
from offbranch.pipeline.context import RESERVED, with_group
from offbranch.pipeline.interpolate import Context, InterpolationError, as_text, fill, fill_whole
from offbranch.pipeline.schema_faults import kind_of

SEPARATOR = "@"


@record
class Member:
    """One stage still to be filled in.

    Attributes:
        name: Its name, for a group with `@`.
        definition: The map of its keys as written, without `matrix`.
        context: What its expressions refer to.
        is_grouped: Whether it comes from `foreach` or `matrix`, where `item` and `key` are reserved.
    """

    name: str
    definition: Mapping[str, Any]
    context: Context
    is_grouped: bool = False


def expand(name: str, definition: Mapping[str, Any], context: Context) -> Iterator[Member]:
    """Yields the stages that one entry of `stages` stands for.

    Raises:
        InterpolationError: `foreach` or an axis names nothing, or something that cannot be iterated.
    """
    if "foreach" in definition:
        for key, item, spoken in _foreach(definition["foreach"], context):
            yield Member(
                name=f"{name}{SEPARATOR}{key}",
                definition=definition["do"],
                context=with_group(context, item, spoken),
                is_grouped=True,
            )
    elif "matrix" in definition:
        rest = {part: value for part, value in definition.items() if part != "matrix"}
        for key, item in _matrix(definition["matrix"], context):
            yield Member(
                name=f"{name}{SEPARATOR}{key}",
                definition=rest,
                context=with_group(context, item, key),
                is_grouped=True,
            )
    else:
        yield Member(name=name, definition=definition, context=context)


def refuse_reserved(written: list[Any]) -> None:
    """Refuses stage `vars` that would hide `item` or `key` inside a group."""
    for entry in written:
        for name in RESERVED:
            if isinstance(entry, Mapping) and name in entry:
                raise InterpolationError(f"'{name}' is reserved inside a group", "give the variable another name")


def _foreach(written: Any, context: Context) -> list[tuple[str, Any, Any]]:
    """Returns (key as text, item, key for `${key}` or None) of each member; a repeated key counts once."""
    value = fill_whole(written, context) if isinstance(written, str) else _fill_nested(written, context)
    if isinstance(value, Mapping):
        return [(as_text(key), item, key) for key, item in value.items()]
    if not isinstance(value, list):
        raise InterpolationError(f"expected a list or a mapping, found {kind_of(value)}")
    if any(isinstance(item, list | Mapping) for item in value):
        return [(str(n), item, None) for n, item in enumerate(value)]
    return list({(key := as_text(item)): (key, item, None) for item in value}.values())


def _matrix(axes: Mapping[str, Any], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    lists = [_axis(axis, written, context) for axis, written in axes.items()]
    seen = set()
    for combination in itertools.product(*lists):
        key = "-".join(text for text, _ in combination)
        if key not in seen:
            seen.add(key)
            yield key, {axis: value for axis, (_, value) in zip(axes, combination, strict=True)}


def _axis(axis: str, written: Any, context: Context) -> list[tuple[str, Any]]:
    values = fill_whole(written, context) if isinstance(written, str) else _fill_nested(written, context)
    if not isinstance(values, list | Mapping):
        raise InterpolationError(f"expected a list for the axis '{axis}', found {kind_of(values)}")
    return [
        (f"{axis}{n}" if isinstance(value, list | Mapping) else as_text(value), value) for n, value in enumerate(values)
    ]


def _fill_nested(value: Any, context: Context) -> Any:
    """Fills in a list or map of members, where an item may also be an expression for a list or map."""
    if isinstance(value, list):
        return [_fill_nested(item, context) for item in value]
    if isinstance(value, Mapping):
        return {fill(key, context): _fill_nested(item, context) for key, item in value.items()}
    return fill_whole(value, context) if isinstance(value, str) and "${" in value else value
