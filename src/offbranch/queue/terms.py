"""Terms of a task: how it is to be run, apart from what it does. Given when it is queued, and changed while it waits."""

import re
from typing import Final

from offbranch.base.errors import UsageError
from offbranch.base.records import record, replace
from offbranch.queue.resources import Resources
from offbranch.queue.task import Task

# Far more than anybody needs, few enough for every reader of JSON.
MAX_PRIORITY: Final = 1_000_000
MAX_RETRIES: Final = 1_000
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)", re.ASCII)


@record
class Terms:
    """What is said about how a task is to be run; None leaves it as it is, or as usual.

    Attributes:
        priority: Higher ones are run first.
        is_held: Whether it is left alone until it is released.
        timeout_s: Seconds that a run of it may take; 0 for as long as it likes.
        retries: How often it is run again after a failure.
        resources: What it needs of a machine; what is None in it stays.
    """

    priority: int | None = None
    is_held: bool | None = None
    timeout_s: float | None = None
    retries: int | None = None
    resources: Resources | None = None


NO_TERMS: Final = Terms()


def with_terms(task: Task, terms: Terms) -> Task:
    """Returns a task under other terms.

    Raises:
        UsageError: A number is out of bounds.
    """
    _check("priority", terms.priority, -MAX_PRIORITY, MAX_PRIORITY)
    _check("number of retries", terms.retries, 0, MAX_RETRIES)
    timeout_s = task.timeout_s if terms.timeout_s is None else terms.timeout_s or None
    return replace(
        task,
        priority=task.priority if terms.priority is None else terms.priority,
        is_held=task.is_held if terms.is_held is None else terms.is_held,
        timeout_s=timeout_s,
        retries=task.retries if terms.retries is None else terms.retries,
        resources=_with_resources(task.resources, terms.resources),
    )


def parse_duration(text: str) -> float:
    """Reads a length of time in seconds: `30`, `90s`, `10m`, `2h` or `1d`; 0 means without end.

    Raises:
        UsageError: It is something else.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError(
            f"'{text}' is no length of time", hint="as in 30, 90s, 10m, 2h or 1d; 0 for as long as it likes"
        )
    return float(match[1]) * _UNITS_S[match[2]]


def _with_resources(old: Resources, new: Resources | None) -> Resources:
    if new is None:
        return old
    return Resources(
        gpus=old.gpus if new.gpus is None else new.gpus,
        cpus=old.cpus if new.cpus is None else new.cpus,
        memory_bytes=old.memory_bytes if new.memory_bytes is None else new.memory_bytes,
    )


def _check(what: str, value: int | None, lowest: int, highest: int) -> None:
    if value is not None and not lowest <= value <= highest:
        raise UsageError(f"the {what} {value} is out of bounds", hint=f"give one from {lowest} to {highest}")
