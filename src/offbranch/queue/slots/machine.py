"""What a machine has for tasks, and who has it; reads locks and records, changes nothing."""

from offbranch.base.paths import AbsPath
from offbranch.base.processes import host_name
from offbranch.base.records import record
from offbranch.queue.slots.device_locks import DeviceHolder, DeviceLocks, key_of, processor_key
from offbranch.queue.slots.devices import Device, Found
from offbranch.queue.slots.limits import memory_limited_by, usable_memory, usable_processors
from offbranch.queue.workers import Worker, list_workers


@record
class GpuState:
    """A GPU, and the tasks that have it.

    Attributes:
        device: None for one that is locked and that nothing tells of: who named it believed in it.
        key: What its lock is called.
    """

    device: Device | None
    key: str
    holders: tuple[DeviceHolder, ...] = ()

    @property
    def label(self) -> str:
        """What it is called here."""
        if self.device is not None:
            return self.device.label
        return self.key.removeprefix("gpu-").removeprefix(f"{host_name()}-")


@record
class ProcessorState:
    """A processor that a task has for itself."""

    number: int
    holders: tuple[DeviceHolder, ...]


@record
class Machine:
    """What a machine has for tasks.

    Attributes:
        gpus: In the order of their numbers.
        hidden_by: The variable that leaves GPUs out.
        problem: Why there may be more; empty if nothing is wrong.
        processors: Those that commands may run on.
        taken: Those of them that a task has for itself.
        memory_bytes: How much memory there is.
        memory_limited_by: `cgroup`, `process` or None for not at all.
        locks: The directory of the locks.
        workers: Of the project; none outside of one.
    """

    gpus: tuple[GpuState, ...]
    hidden_by: str | None
    problem: str
    processors: tuple[int, ...]
    taken: tuple[ProcessorState, ...]
    memory_bytes: int
    memory_limited_by: str | None
    locks: str
    workers: tuple[Worker, ...] = ()


def look_at_machine(found: Found, directory: AbsPath, root: AbsPath | None) -> Machine:
    """Returns what there is at this moment.

    Args:
        found: The GPUs.
        directory: Of the locks.
        root: Of the project whose workers are listed; None outside of one.
    """
    locks = DeviceLocks(directory, root or "")
    gpus = [GpuState(device=each, key=key_of(each), holders=locks.holder(key_of(each))) for each in found.devices]
    known = {each.key for each in gpus}
    unknown = [key for key in locks.held_keys() if key.startswith("gpu-") and key not in known]
    gpus += [GpuState(device=None, key=key, holders=locks.holder(key)) for key in unknown]
    processors = usable_processors()
    taken = (ProcessorState(number=each, holders=locks.holder(processor_key(each))) for each in processors)
    return Machine(
        gpus=tuple(gpus),
        hidden_by=found.hidden_by,
        problem=found.problem,
        processors=processors,
        taken=tuple(each for each in taken if each.holders),
        memory_bytes=usable_memory(),
        memory_limited_by=memory_limited_by(),
        locks=directory,
        workers=() if root is None else list_workers(root),
    )
