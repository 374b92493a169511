"""Overrides read by Hydra's own parser: quotes, lists, maps, functions, sweeps, and everything that is wrong.

Loaded by name from `overrides.py` for texts that are no plain `key=scalar` or `key='text'`; importing Hydra's parser
takes some 170 ms.
"""

import itertools
import json
import re
from typing import Any

from hydra._internal.grammar.utils import escape_special_characters
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    OverrideType,
    Quote,
    QuotedString,
    RangeSweep,
)
from hydra.core.override_parser.types import Override as HydraOverride
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from offbranch.base.errors import OffbranchError, UsageError
from offbranch.params.overrides import Operation, Override

# A range may be written that never fits in memory; nobody runs this many trials.
MAX_SWEEP = 100_000

_OPERATIONS = {
    OverrideType.CHANGE: Operation.SET,
    OverrideType.ADD: Operation.ADD,
    OverrideType.FORCE_ADD: Operation.FORCE,
    OverrideType.DEL: Operation.DELETE,
}
_EVALUATION = re.compile(r"\w+ while evaluating '(.*?)': (.*)", re.DOTALL).match
_QUOTE_HINT = "put a text with special characters in quotes, e.g. 'KEY=\"a, b\"'"
_KEY_HINT = "a key is made of the letters a to z, digits, '_', '-', '.' and '/'; edit the file to change another one"
# The place in a config where a value waits to be resolved; no parameter has a name like it.
_SLOT = "__offbranch_value__"


def parse(change: str, text: str) -> Override:
    """Returns an override in the grammar of Hydra, for the default file.

    Args:
        change: The override without file name.
        text: What the user wrote, for the record and for messages.

    Raises:
        UsageError: It is not in the grammar, or is an `interval`.
    """
    try:
        parsed = override_parser().parse_override(change)
        value, values = parsed.value(), None
        if isinstance(value, IntervalSweep):
            raise _invalid(text, "an interval cannot be enumerated", "use range(START,STOP,STEP) or a list of values")
        glob = (tuple(value.include), tuple(value.exclude)) if isinstance(value, Glob) else None
        if glob is not None:
            value = None
        if isinstance(value, ChoiceSweep | RangeSweep):
            value, values = None, _sweep_values(parsed, text)
    except HydraException as error:
        raise _explained(error, change, text) from error
    except (ValueError, TypeError, AssertionError, ArithmeticError, RecursionError) as error:
        raise _invalid(text, str(error) or "it cannot be read", _QUOTE_HINT) from error
    if not parsed.key_or_group:
        raise _invalid(text, "no key before '='", None)
    operation = _OPERATIONS[parsed.type]
    if (values is not None or glob is not None) and operation is Operation.DELETE:
        raise _invalid(text, "a deletion has no choice of values", f"write '~{parsed.key_or_group}'")
    return Override(
        operation=operation,
        key=parsed.key_or_group,
        package=parsed.package,
        value=value,
        has_value=parsed.value_type is not None,
        sweep=None if values is None else tuple(_plain(each) for each in values),
        sweep_texts=() if values is None else tuple(_written(each) for each in values),
        glob=glob,
        text=text,
    )


def resolve_interpolations(data: Any, value: Any, text: str) -> Any:
    """Returns a value with every `${other.key}` replaced by what it leads to in some data.

    Args:
        data: The parameters of the same file, with all overrides in them.
        value: Plain data.
        text: The override, for messages.

    Raises:
        OffbranchError: A key is missing, or keys lead in a circle.
    """
    try:
        config = OmegaConf.create({**data, _SLOT: value}, flags={"allow_objects": True})
        resolved = config[_SLOT]
        return OmegaConf.to_container(resolved, resolve=True) if OmegaConf.is_config(resolved) else resolved
    except RecursionError as error:
        raise OffbranchError(
            f"cannot resolve '{text}': its keys lead in a circle", hint="write one of the values out"
        ) from error
    except OmegaConfBaseException as error:
        reason = str(error).partition("\n")[0]
        raise OffbranchError(
            f"cannot resolve '{text}': {reason[:1].lower() + reason[1:]}",
            hint="name a key of the same parameter file",
        ) from error


def override_parser() -> OverridesParser:
    """Returns a parser that knows every function which values may call."""
    functions = create_functions()
    if "json_str" not in functions.functions:
        functions.register(name="json_str", func=_json_str)
    return OverridesParser(functions)


def _json_str(value: Any) -> str:
    # Compact, as Hydra 1.4 writes it; 1.3 has no such function.
    return json.dumps(_plain(value), separators=(",", ":"))


def _sweep_values(parsed: HydraOverride, text: str) -> list[Any]:
    values = list(itertools.islice(parsed.sweep_iterator(), MAX_SWEEP + 1))
    if len(values) > MAX_SWEEP:
        raise _invalid(text, f"it has more than {MAX_SWEEP} values", "use a larger step")
    if not values:
        raise _invalid(text, "the range is empty", "start below stop, or give a negative step")
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value.text if isinstance(value, QuotedString) else value


def _written(value: Any) -> str:
    """Writes a value so that the grammar reads it back."""
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_written(key)}:{_written(item)}' for key, item in value.items())}}}"
    if isinstance(value, QuotedString):
        return value.with_quotes()
    if isinstance(value, str):
        return escape_special_characters(value)
    return "null" if value is None else str(value)


def written_as_text(value: str) -> str:
    """Writes a text so that the grammar reads it back as one: as it is where that does, in quotes otherwise."""
    try:
        if override_parser().parse_override(f"key={value}").value() == value:
            return value
    except (HydraException, ValueError):
        pass
    return QuotedString(text=value, quote=Quote.single).with_quotes()


def _explained(error: HydraException, change: str, text: str) -> UsageError:
    evaluation = _EVALUATION(str(error))
    if evaluation is not None:
        reason, _, known = evaluation[2].strip().partition("\nAvailable: ")
        reason = reason[:1].lower() + reason[1:] if reason else "this cannot be converted"
        hint = f"the functions are {known.replace(',', ', ')}" if known else "put it in quotes if it is meant as a text"
        return _invalid(text, f"{reason} in '{evaluation[1]}'", hint)
    start = _failing_place(error.__cause__)
    if start is None:
        return _invalid(text, str(error).partition("\n")[0], _QUOTE_HINT)
    rest = change[start:]
    if not rest:
        return _invalid(text, "it ends too early", "close every bracket and quote")
    in_key = start <= len(change.partition("=")[0])
    return _invalid(text, f"it cannot be read from '{rest}' on", _KEY_HINT if in_key else _QUOTE_HINT)


def _failing_place(cause: Any) -> int | None:
    token = getattr(cause, "offendingToken", None)
    place = getattr(cause, "startIndex", None) if token is None else token.start
    return place if isinstance(place, int) else None


def _invalid(text: str, reason: str, hint: str | None) -> UsageError:
    return UsageError(f"invalid value for --set-param '{text}': {reason}", hint=hint)
