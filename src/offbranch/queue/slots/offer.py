"""What a worker may give to its tasks, and what one task takes of it. Touches nothing."""

from collections.abc import Callable, Mapping

from offbranch.base.records import field, record
from offbranch.queue.resources import Resources, size_text
from offbranch.queue.slots.devices import Device

NONE_FOUND = "no GPU is found on this machine"


@record
class Looked:
    """What a look for GPUs has found.

    Attributes:
        problem: Why there may be more; empty if nothing is wrong.
    """

    devices: tuple[Device, ...] = ()
    problem: str = ""


@record
class Offer:
    """What a worker may give.

    Attributes:
        n_slots: How many tasks at a time.
        first_slot: The number of the first slot.
        gpus: Those that it shares out among all its tasks; None if only tasks that ask for GPUs get some, of those that `look`
            finds.
        look: Finds GPUs; asked once, when a task needs one.
        gpus_per_task: What a task gets that does not say.
        tasks_per_gpu: How many tasks have a GPU together.
        cpus: Processors that tasks may have, by number.
        n_cpus: How many of them at a time.
        cpus_per_task: What a task gets that does not say; 0 for all of them, together with the others.
        memory_bytes: All of its tasks together.
        memory_per_task: What a task may use that does not say; 0 for no limit.
        env: What commands find, without what we add.
        is_granted: Somebody else has seen to what each task needs, as SLURM does for a job: whatever a task says, nothing is
            looked for, locked, limited or hidden, and the environment stays as it is.
    """

    n_slots: int = 1
    first_slot: int = 1
    gpus: tuple[Device, ...] | None = None
    look: Callable[[], Looked] = Looked
    gpus_per_task: int = 1
    tasks_per_gpu: int = 1
    cpus: tuple[int, ...] = ()
    n_cpus: int = 0
    cpus_per_task: int = 0
    memory_bytes: int = 0
    memory_per_task: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    is_granted: bool = False


@record
class Need:
    """What one task takes of the offer; 0 where it takes none for itself."""

    gpus: int
    cpus: int
    memory_bytes: int


def need_of(offer: Offer, said: Resources) -> Need:
    """Returns what a task takes that says something of itself, or nothing."""
    if offer.is_granted:
        return Need(gpus=0, cpus=0, memory_bytes=0)
    return Need(
        gpus=said.gpus if said.gpus is not None else offer.gpus_per_task if offer.gpus else 0,
        cpus=said.cpus if said.cpus is not None else offer.cpus_per_task,
        memory_bytes=said.memory_bytes if said.memory_bytes is not None else offer.memory_per_task,
    )


def misfit(offer: Offer, need: Need, looked: Looked) -> str | None:
    """Returns why a task can never have what it needs; None if it can.

    Args:
        looked: The GPUs there are; not looked at for a task that needs none.
    """
    if need.gpus > (n_gpus := len(looked.devices)):
        wanted = f"needs {_count(need.gpus, 'GPU')}, and "
        if n_gpus:
            return f"{wanted}its worker may give {n_gpus}"
        return f"{wanted}its worker gives none" if offer.gpus is not None else wanted + (looked.problem or NONE_FOUND)
    if need.cpus > offer.n_cpus:
        return f"needs {_count(need.cpus, 'processor')}, and its worker may give {offer.n_cpus}"
    if need.memory_bytes > offer.memory_bytes:
        most = size_text(offer.memory_bytes)
        return f"needs {size_text(need.memory_bytes)} of memory, and its worker may give {most}"
    return None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
