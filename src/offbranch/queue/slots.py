"""Slots: how many tasks a worker runs at a time, and what each of them gets of the machine."""

from collections.abc import Callable, Mapping

from offbranch.base.records import field, record
from offbranch.queue.task import StoredTask

SLOT_VARIABLE = "OFFBRANCH_SLOT"


@record
class Slot:
    """A place for one task.

    Attributes:
        number: From 1.
        label: What its commands find in OFFBRANCH_SLOT.
        env: What else they find.
        gpus: GPUs that it has for itself.
    """

    number: int
    label: str
    env: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()


class SlotPool:
    """The slots of one worker."""

    def __init__(self, n_slots: int) -> None:
        self.all = tuple(Slot(number=number, label=str(number)) for number in range(1, n_slots + 1))
        self._free = list(self.all)

    def acquire(self, task: StoredTask) -> Slot | None:
        """Returns a slot for a task; None if it does not fit now."""
        return self._free.pop(0) if self._free else None

    def release(self, slot: Slot) -> None:
        """Gives a slot back."""
        self._free = sorted((*self._free, slot), key=lambda each: each.number)

    def fits_ever(self, task: StoredTask) -> str | None:
        """Returns why a task can never run here; None if it can."""
        return None

    def limits(self, task: StoredTask, slot: Slot) -> Callable[[], None]:
        """Returns what is to be done in the child before the task starts."""
        return _nothing


def _nothing() -> None:
    """Limits nothing."""
