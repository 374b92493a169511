"""From tasks that wait to array jobs: pure. What needs the same of a machine goes into one array."""

import math
from collections.abc import Callable, Iterable, Sequence

from offbranch.base.records import record
from offbranch.queue.resources import Resources
from offbranch.queue.store import queue_order
from offbranch.queue.task import StoredTask

# What starting, copying data and ending take beside the time that a task may run; SLURM's limit is the second line.
_EXTRA_S = 600.0
_MIB = 1 << 20


@record
class ArrayJob:
    """One sbatch that is to be.

    Attributes:
        tasks: In the order in which SLURM shall start them.
        options: What they need, as options of sbatch.
        limit: How many may run at once; None for as many as SLURM likes.
        goes_after: Whether it shall begin when the array before it has ended, for the limit is one of all together.
    """

    tasks: tuple[StoredTask, ...]
    options: tuple[str, ...]
    limit: int | None = None
    goes_after: bool = False

    @property
    def array(self) -> str:
        """The value of `--array`."""
        return f"0-{len(self.tasks) - 1}" + (f"%{self.limit}" if self.limit is not None else "")


def plan_arrays(
    tasks: Iterable[StoredTask],
    *,
    max_size: int,
    limit: int | None = None,
    needs: Callable[[StoredTask], Resources] = lambda stored: stored.task.resources,
) -> tuple[ArrayJob, ...]:
    """Returns the arrays that tasks make, the one with the most urgent task first.

    Args:
        tasks: Those that are to run.
        max_size: Elements that an array may have (MaxArraySize).
        limit: Tasks that may run at once; with several arrays one runs after the other.
        needs: What a task needs of a machine.
    """
    groups: dict[tuple[str, ...], list[StoredTask]] = {}
    for stored in sorted(tasks, key=queue_order):
        groups.setdefault(options_of(stored, needs(stored)), []).append(stored)
    arrays = [
        ArrayJob(tasks=tuple(part), options=options, limit=limit if limit is None or limit < len(part) else None)
        for options, group in groups.items()
        for part in _parts(group, max_size)
    ]
    if limit is None or sum(len(each.tasks) for each in arrays) <= limit:
        return tuple(arrays)
    return tuple(
        ArrayJob(tasks=each.tasks, options=each.options, limit=each.limit, goes_after=number > 0)
        for number, each in enumerate(arrays)
    )


def options_of(stored: StoredTask, needs: Resources) -> tuple[str, ...]:
    """Returns what a task needs, as options of sbatch; what nothing was said of is left to the site."""
    options = []
    if needs.gpus:
        options.append(f"--gres=gpu:{needs.gpus}")
    if needs.cpus:
        options.append(f"--cpus-per-task={needs.cpus}")
    if needs.memory_bytes:
        options.append(f"--mem={math.ceil(needs.memory_bytes / _MIB)}M")
    if stored.task.timeout_s is not None:
        total_s = (stored.task.timeout_s + _EXTRA_S) * (stored.task.retries + 1)
        options.append(f"--time={math.ceil(total_s / 60)}")
    return tuple(options)


def _parts(group: Sequence[StoredTask], size: int) -> Iterable[Sequence[StoredTask]]:
    return (group[at : at + size] for at in range(0, len(group), size))
