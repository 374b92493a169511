"""What a task needs of the machine that runs it."""

from collections.abc import Mapping
from typing import Any

from offbranch.base.records import as_dict, record


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


def _number(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name}: {value!r} is not a number of things")
    return value
