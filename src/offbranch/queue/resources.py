"""What a task needs of the machine that runs it."""

import re
from collections.abc import Mapping
from typing import Any

from offbranch.base.errors import UsageError, did_you_mean
from offbranch.base.records import as_dict, record

# Powers of 1024, as Slurm, Docker and the kernel count memory.
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(?:iB)?", re.ASCII | re.IGNORECASE)
_WORDS = ("gpus", "cpus", "memory")
_EXAMPLE = "as in gpus=1,cpus=4,memory=8G"


@record
class Resources:
    """What a task needs; None where nothing was said.

    Attributes:
        gpus: How many GPUs, for it alone.
        cpus: How many processors.
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
    """Reads `gpus=1,cpus=4,memory=8G`: any of the three, once each, in any order.

    Raises:
        UsageError: It is something else.
    """
    found: dict[str, int] = {}
    for part in text.split(","):
        name, sign, value = (word.strip() for word in part.partition("="))
        if not sign or name not in _WORDS:
            hint = did_you_mean(name, _WORDS) or _EXAMPLE
            raise UsageError(f"'{part.strip()}' says nothing about gpus, cpus or memory", hint=hint)
        if name in found:
            raise UsageError(f"'{name}' is given twice in '{text}'", hint=_EXAMPLE)
        found[name] = parse_size(value) if name == "memory" else _count(name, value)
    return Resources(gpus=found.get("gpus"), cpus=found.get("cpus"), memory_bytes=found.get("memory"))


def parse_size(text: str) -> int:
    """Reads an amount of memory in bytes: `8G`, `1.5GiB`, `512M` or plain bytes; the units are powers of 1024.

    Raises:
        UsageError: It is something else, or nothing.
    """
    match = _SIZE.fullmatch(text)
    size_bytes = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size_bytes < 1:
        raise UsageError(f"'{text}' is no amount of memory", hint="as in 8G, 512M or 1.5G, by powers of 1024")
    return size_bytes


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or (name == "cpus" and int(text) < 1):
        raise UsageError(f"'{text}' is no number of {name}", hint=_EXAMPLE)
    return int(text)


def _number(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name}: {value!r} is not a number of things")
    return value
