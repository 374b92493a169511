"""Text of `--set-param` to `Override`: the grammar of Hydra's overrides, after an optional file name.

A plain `key=scalar` or `key='text'` is read here. Every other text goes to Hydra's own parser in `overrides_hydra.py`,
which is loaded only then. The invariant, kept by property tests: what is read here is what Hydra would have read.
"""

import re
from enum import Enum
from typing import Any, Final

from offbranch.base.errors import UsageError
from offbranch.base.paths import PARAMS_FILE
from offbranch.base.plugins import load
from offbranch.base.records import record, replace


class Operation(Enum):
    """What an override does with its key."""

    SET = "set"
    ADD = "add"
    FORCE = "force"
    DELETE = "delete"


@record
class Override:
    """One change of one parameter, or a sweep over several values of it.

    Attributes:
        file: The parameter file, as written.
        operation: SET needs the key to exist, ADD needs it not to, FORCE does not care; DELETE removes it.
        key: Dotted path; parts may be list indices.
        value: Plain data; for a sweep None. Texts may hold `${other.key}`.
        has_value: False only for a DELETE without value.
        sweep: The values of a sweep in order, None when it is no sweep.
        sweep_texts: How each value of the sweep is written, same order as `sweep`.
        glob: Patterns of a `glob` over the options of a config group: those to take and those to leave out.
        text: What the user wrote, the file name included.
        package: Where a group of Hydra is put, from `group@package=name`; None where none is named.
    """

    file: str = PARAMS_FILE
    operation: Operation = Operation.SET
    key: str
    package: str | None = None
    value: Any = None
    has_value: bool = True
    sweep: tuple[Any, ...] | None = None
    sweep_texts: tuple[str, ...] = ()
    glob: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    text: str


_SIMPLE = re.compile(
    r"(?P<sign>\+\+?|)"
    r"(?P<key>[A-Za-z_][A-Za-z0-9_-]*|(?:[A-Za-z_][A-Za-z0-9_-]*|0|[1-9][0-9]*)(?:\.(?:[A-Za-z_][A-Za-z0-9_-]*|0|[1-9][0-9]*))+)"
    r"=(?P<value>[A-Za-z0-9_/.%*@?|:+-]*|'[^'\\]*'|\"[^\"\\]*\")"
).fullmatch
_DELETION = re.compile(r"~(?P<key>[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*)").fullmatch
_INT = re.compile(r"[+-]?(?:0|[1-9](?:_?[0-9])*)").fullmatch
_FLOAT = re.compile(
    r"[+-]?(?:(?:0|[1-9](?:_?[0-9])*)\.|(?:0|[1-9](?:_?[0-9])*)?\.[0-9](?:_?[0-9])*"
    r"|(?:(?:0|[1-9](?:_?[0-9])*)(?:\.(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)[eE][+-]?[0-9](?:_?[0-9])*"
    r"|[iI][nN][fF]|[nN][aA][nN])"
).fullmatch
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
# Beyond this Python refuses to read an integer, and Hydra says so better.
_MAX_SIMPLE = 1000

_OPERATIONS = {"": Operation.SET, "+": Operation.ADD, "++": Operation.FORCE}


def parse_override(text: str) -> Override:
    """Returns the override that a text of `--set-param` stands for.

    Args:
        text: `[FILE:]OVERRIDE`; a file is named only where a colon comes before the first `=`.

    Raises:
        UsageError: The text is not in the grammar, or asks for something that cannot be done here.
    """
    file, change = _split_file(text)
    simple = _SIMPLE(change) if len(change) <= _MAX_SIMPLE else None
    if simple is not None:
        sign, key, written = simple.group("sign", "key", "value")
        return Override(file=file, operation=_OPERATIONS[sign], key=key, value=_scalar(written), text=text)
    deletion = _DELETION(change)
    if deletion is not None:
        return Override(file=file, operation=Operation.DELETE, key=deletion["key"], has_value=False, text=text)
    if "=" not in change and not change.startswith("~"):
        raise UsageError(
            f"invalid value for --set-param '{text}': missing '='",
            hint=f"write '{text}=VALUE' to set it, or '~{change}' to delete it" if change else "write 'KEY=VALUE'",
        )
    parsed: Override = load("offbranch.params.overrides_hydra:parse")(change, text)
    return replace(parsed, file=file)


def text_for_hydra(override: Override) -> str:
    """Returns an override as Hydra writes it: without the file name."""
    return _split_file(override.text)[1]


def _split_file(text: str) -> tuple[str, str]:
    head = text.partition("=")[0]
    # The last colon: a key has none, and a path may begin with the letter of a drive.
    file, colon, _ = head.rpartition(":")
    if not colon:
        return PARAMS_FILE, text
    if not file:
        raise UsageError(
            f"invalid value for --set-param '{text}': no file name before ':'",
            hint=f"leave the ':' out to change {PARAMS_FILE}",
        )
    if file[0] in "+~":
        name = file.lstrip("+~")
        sign = file[: len(file) - len(name)]
        raise UsageError(
            f"invalid value for --set-param '{text}': the '{sign}' belongs before the key",
            hint=f"write '{name}:{sign}{text[len(file) + 1 :]}'; a file '{file}' is './{file}'",
        )
    return file, text[len(file) + 1 :]


def _scalar(written: str) -> Any:
    if written[:1] in ("'", '"'):
        return written[1:-1]
    if _INT(written):
        return int(written)
    if _FLOAT(written):
        return float(written)
    lowered = written.lower()
    return _WORDS.get(lowered, written)
