"""The turn of a task that others have passed over: nobody waits for ever."""

from offbranch.base.records import record
from offbranch.queue.slots.device_locks import HeldDevice
from offbranch.queue.slots.offer import Need


@record
class Free:
    """What is left of what is only counted."""

    slots: int
    cpus: int
    memory_bytes: int

    def holds(self, need: Need) -> bool:
        return self.slots > 0 and self.cpus >= need.cpus and self.memory_bytes >= need.memory_bytes

    def without(self, need: Need) -> "Free":
        return Free(
            slots=self.slots - 1, cpus=self.cpus - need.cpus, memory_bytes=self.memory_bytes - need.memory_bytes
        )


class Turn:
    """A task whose turn it is: it has been passed over often enough.

    With the right to reserve, which one worker of the machine has at a time, devices that become free are held for it.
    """

    def __init__(self, task_id: str, need: Need) -> None:
        self.task_id = task_id
        self.need = need
        self.right: int | None = None
        self.gpus: list[HeldDevice] = []
        self.cpus: list[HeldDevice] = []

    def descriptors(self) -> list[int]:
        held = [descriptor for each in (*self.gpus, *self.cpus) for descriptor in each.descriptors]
        return held if self.right is None else [*held, self.right]

    def leaves_room(self, need: Need, free: Free) -> bool:
        """Tells whether a task behind it can start and keeps it from nothing that it waits for."""
        left = free.without(need)
        return (
            left.slots > 0
            and (not need.gpus or len(self.gpus) >= self.need.gpus)
            and (not need.cpus or (len(self.cpus) >= self.need.cpus and left.cpus >= self.need.cpus))
            and (not need.memory_bytes or left.memory_bytes >= self.need.memory_bytes)
        )
