"""What all callbacks do with what they are given: open a `Live`, end one, make parameters plain."""

import sys
from collections.abc import Mapping
from typing import Any

from offbranch.base.records import replace
from offbranch.live.errors import InvalidParameterTypeError
from offbranch.live.faults import say
from offbranch.live.logger import Live
from offbranch.live.params import plain_parameters
from offbranch.live.values import plain_parameter


def open_live(live: Live | None, options: Mapping[str, Any]) -> Live:
    """Returns the `Live` that was given, or opens one.

    Args:
        live: Of the program; None: a new one.
        options: Arguments of a new one.

    Raises:
        TypeError: `live` is none.
    """
    if live is None:
        return Live(**options)
    if not hasattr(live, "log_metric"):
        raise TypeError(f"'live' has to be a Live, not {type(live).__name__}")
    if options:
        say("warning", f"'live' is open already: {', '.join(map(repr, options))} had to be given to it")
    return live


def repeat_from(live: Live, step: int) -> None:
    """Has a resumed `Live` that is ahead of its training replace what it had logged from a step on.

    A library goes back to the last checkpoint that it has saved; what came after is logged again.
    """
    begun = live._begun
    if begun.repeats_from is not None and step < begun.repeats_from:
        live._begun = replace(begun, repeats_from=step)


def go_on(live: Live, *, has_ended: bool) -> None:
    """Begins a step of its own where training goes on after a callback has ended it once: the last one is complete."""
    if has_ended and not live._is_ahead:
        live.step += 1


def end_failed(live: Live) -> None:
    """Ends a `Live` after a failure: all is written, and no experiment is saved as if training had gone well."""
    live.__exit__(sys.exc_info()[0] or RuntimeError, None, None)


def written_params(params: Any) -> dict[str, Any]:
    """Returns parameters that a library has collected as plain data; what YAML cannot represent as its name or text."""
    try:
        return plain_parameters(params)
    except InvalidParameterTypeError:
        items = params if isinstance(params, Mapping) else vars(params)
        return {str(name): _written(value) for name, value in items.items()}


def _written(value: Any) -> Any:
    try:
        return plain_parameter(value)
    except InvalidParameterTypeError:
        pass
    if isinstance(value, Mapping):
        return {str(key): _written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    return str(getattr(value, "__name__", None) or value)
