"""What a task needs of the machine that runs it: stored form, the text of options, and what stages say in dvc.yaml.

A stage says it below `meta`, which DVC leaves to the user: `meta: {resources: {gpus: 1, cpus: 4, memory: 8G}}`. Keys there that
are none of ours, nor near one, are somebody else's and are left alone.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from offbranch.base.errors import BadInputError, UsageError, did_you_mean
from offbranch.base.paths import RepoPath
from offbranch.base.records import as_dict, record
from offbranch.base.yaml import locator
from offbranch.pipeline.stage import Stage

KEYS: Final = ("gpus", "cpus", "memory")
FORM: Final = "gpus=1,cpus=4,memory=8G"
_SIZE_FORM: Final = "give it like 8G, 512M or 1.5T"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:I?B)?", re.IGNORECASE)
_UNITS: Final = " KMGTP"
# What no machine has is a slip, and must not overflow what is computed with it.
_MOST_THINGS = 1 << 20
_MOST_BYTES = 1 << 60
# No command starts with less: a number without its unit.
_LEAST_BYTES = 1 << 20


def _no_text(_: RepoPath) -> str:
    return ""


@record
class Resources:
    """What a task needs; None where nothing was said.

    Attributes:
        gpus: How many GPUs, for it alone; 0 says that it sees none.
        cpus: How many processors, for it alone.
        memory_bytes: How much main memory at most.
    """

    gpus: int | None = None
    cpus: int | None = None
    memory_bytes: int | None = None


def resources_to_json(resources: Resources) -> dict[str, Any]:
    """Returns the stored form."""
    return as_dict(resources)


def resources_from_json(data: Mapping[str, Any]) -> Resources:
    """Reads the stored form.

    Raises:
        ValueError: A number is none, or below 0.
    """
    return Resources(gpus=_number(data, "gpus"), cpus=_number(data, "cpus"), memory_bytes=_number(data, "memory_bytes"))


def parse_resources(text: str) -> Resources:
    """Reads what an option says, e.g. `gpus=1,cpus=4,memory=8G`; each part at most once, in any order.

    Raises:
        UsageError: It is not of this form.
    """
    try:
        return _of_text(text)
    except ValueError as error:
        key, hint = _place_and_hint(error)
        raise UsageError(f"'{text}' says no resources: {f'{key}: ' if key else ''}{error.args[0]}", hint=hint) from None


def resources_of_stage(stage: Stage, read_text: Callable[[RepoPath], str] = _no_text) -> Resources:
    """Returns what a stage says of itself in dvc.yaml.

    Args:
        stage: The stage.
        read_text: Reads the file that it is written in, to name the line of what is wrong.

    Raises:
        BadInputError: It says it in a way that means nothing.
    """
    written = stage.meta.get("resources") if isinstance(stage.meta, Mapping) else None
    if written is None:
        return Resources()
    try:
        if isinstance(written, str):
            return _of_text(written)
        if isinstance(written, Mapping):
            return _of_mapping(written)
        raise ValueError("expected a mapping of gpus, cpus and memory")
    except ValueError as error:
        key, hint = _place_and_hint(error)
        places = _places(stage.name, key)
        locate = locator(read_text(stage.file))
        line, column = max((found for each in places if (found := locate(each))), default=(None, None))
        raise BadInputError(
            str(error.args[0]), path=stage.file, line=line, column=column, key=".".join(places[0]), hint=hint
        ) from None


def needs_of(given: Resources, stages: Iterable[Stage], read_text: Callable[[RepoPath], str] = _no_text) -> Resources:
    """Returns what a task needs: what was said of itself, else the most that one of its stages says.

    The most, not the sum, also where stages run side by side: they share what the task has.

    Args:
        given: What was said.
        stages: All that it may run.
        read_text: As of `resources_of_stage`.

    Raises:
        BadInputError: A stage says it in a way that means nothing.
    """
    of_stages = [resources_of_stage(stage, read_text) for stage in stages]
    return Resources(
        gpus=_first(given.gpus, (each.gpus for each in of_stages)),
        cpus=_first(given.cpus, (each.cpus for each in of_stages)),
        memory_bytes=_first(given.memory_bytes, (each.memory_bytes for each in of_stages)),
    )


def parse_size(text: str) -> int:
    """Reads an amount of memory: bytes, or with K, M, G, T or P (each 1024 of the one before), also as `GB` or `GiB`.

    Raises:
        UsageError: It is none, or 0.
    """
    try:
        return _size(text)
    except ValueError as error:
        raise UsageError(str(error.args[0]), hint=_place_and_hint(error)[1]) from None


def size_text(n_bytes: int) -> str:
    """Returns an amount of memory as `parse_size` reads it, rounded to what people look at: `8G`, `1.5T`."""
    power = 0
    value = float(n_bytes)
    while value >= 1024 and power < len(_UNITS) - 1:
        value /= 1024
        power += 1
    return f"{value:.4g}{_UNITS[power].strip()}"


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    n_bytes = 0 if found is None else int(float(found[1]) * 1024 ** _UNITS.index(found[2].upper() or " "))
    if not 0 < n_bytes <= _MOST_BYTES:
        raise ValueError(f"'{text}' is no amount of memory", None, _SIZE_FORM)
    if n_bytes < _LEAST_BYTES:
        raise ValueError(f"'{text}' is {n_bytes} bytes, which is too little for any command", None, _SIZE_FORM)
    return n_bytes


def _of_text(text: str) -> Resources:
    found: dict[str, str] = {}
    for part in text.split(","):
        key, sign, value = (word.strip() for word in part.partition("="))
        if not sign or not value:
            raise ValueError(f"'{part.strip()}' is not KEY=VALUE", None, f"the form is {FORM}")
        if key not in KEYS:
            raise ValueError(f"'{key}' is not known", None, did_you_mean(key, KEYS) or f"the form is {FORM}")
        if key in found:
            raise ValueError("it is given twice", key, "leave one of them out")
        found[key] = value
    return _of_mapping(found)


def _of_mapping(written: Mapping[Any, Any]) -> Resources:
    for key in written:
        if key not in KEYS and (hint := did_you_mean(str(key), KEYS)) is not None:
            raise ValueError("unknown key", str(key), hint)
    memory = written.get("memory")
    return Resources(
        gpus=_how_many(written, "gpus", least=0),
        cpus=_how_many(written, "cpus", least=1),
        memory_bytes=None if memory is None else _memory(memory),
    )


def _how_many(written: Mapping[Any, Any], key: str, *, least: int) -> int | None:
    value = written.get(key)
    if value is None:
        return None
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST_THINGS:
        raise ValueError(f"'{value}' is not a whole number from {least} on", key, f"the form is {FORM}")
    return value


def _memory(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected an amount of memory", "memory", _SIZE_FORM)
    try:
        return _size(str(value))
    except ValueError as error:
        raise ValueError(error.args[0], "memory", error.args[2]) from None


def _places(name: str | None, key: str | None) -> tuple[tuple[str, ...], ...]:
    """Returns where it can be written, the likeliest first; stages made by a list are written below their group."""
    below = ("meta", "resources", *(() if key is None else (key,)))
    if name is None:
        return (below,)
    group = name.partition("@")[0]
    return (("stages", name, *below), ("stages", group, *below), ("stages", group, "do", *below))


def _place_and_hint(error: ValueError) -> tuple[str | None, str | None]:
    """Returns the key that is wrong and the way out, which errors of this module carry behind their message."""
    _, key, hint = error.args if len(error.args) == 3 else (None, None, f"the form is {FORM}")
    return key, hint


def _first(given: int | None, of_stages: Iterable[int | None]) -> int | None:
    return given if given is not None else max((each for each in of_stages if each is not None), default=None)


def _number(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name}: {value!r} is not a number of things")
    return value
