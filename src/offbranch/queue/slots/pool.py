"""Slots: how many tasks a worker runs at a time, and what each of them gets of the machine.

A task gets all it needs or does not start: a slot, GPUs and processors that no other task of this machine has
(`device_locks.py`), and its part of the memory that the worker may give. One that does not fit is passed over by those behind
it, but not for ever: then what becomes free is kept for it (`turns.py`). One that never fits stays queued, with its reason in
`unfit`.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from offbranch.base.records import field, record
from offbranch.queue.resources import Resources
from offbranch.queue.slots.device_locks import DeviceLocks, HeldDevice, key_of, processor_key
from offbranch.queue.slots.devices import Device, Kind, variables_of
from offbranch.queue.slots.limits import MemoryLimit, forget_limit, keep_to, limit_memory
from offbranch.queue.slots.offer import Looked, Need, Offer, misfit, need_of
from offbranch.queue.slots.turns import Free, Turn
from offbranch.queue.task import StoredTask

SLOT_VARIABLE = "OFFBRANCH_SLOT"
# How often, for each slot, others may start while a task that came before them does not fit.
ROUNDS = 2


@record
class Slot:
    """A place for one task, and what it has there.

    Attributes:
        number: From 1, in its worker.
        label: What its commands find in OFFBRANCH_SLOT: a number that no other task of this machine has at the same time.
        env: What else they find, OFFBRANCH_SLOT included.
        gpus: GPUs that it has for itself, as CUDA_VISIBLE_DEVICES names them.
        cpus: Processors that it has for itself; empty where it may run on all.
        memory: What its commands may use; None where that is not limited.
        descriptors: Of the locks of its devices; its commands inherit them, and so keep the devices as long as they live.
        own: Of the lock of its label, which is let go of when the task has ended.
    """

    number: int
    label: str
    env: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()
    cpus: tuple[int, ...] = ()
    memory: MemoryLimit | None = None
    descriptors: tuple[int, ...] = ()
    own: tuple[int, ...] = ()

    @property
    def prefix(self) -> tuple[str, ...]:
        """What each command line begins with."""
        return () if self.memory is None else self.memory.prefix


@record
class Start:
    """A task that can start now, in a slot that is its own from now on."""

    stored: StoredTask
    slot: Slot


@record
class _Use:
    slot: Slot
    need: Need
    held: tuple[HeldDevice, ...]


class SlotPool:
    """The slots of one worker; used from one thread.

    Args:
        offer: What it may give.
        locks: By which devices are shared with other workers; None where no device is ever given.
    """

    def __init__(self, offer: Offer, locks: DeviceLocks | None = None) -> None:
        self.offer = offer
        numbers = range(offer.first_slot, offer.first_slot + offer.n_slots)
        self.all = tuple(Slot(number=number, label=str(number)) for number in numbers)
        self.unfit: dict[str, str] = {}
        self._locks = locks
        self._uses: dict[int, _Use] = {}
        self._passed: dict[str, int] = {}
        self._turn: Turn | None = None
        self._looked: Looked | None = None
        # What waited when nothing could start, and the first of each need: unless something changes, only these are tried.
        self._stuck: tuple[Sequence[StoredTask], Sequence[StoredTask]] = ((), ())

    @property
    def is_full(self) -> bool:
        """Whether no slot is free."""
        return len(self._uses) >= self.offer.n_slots

    def choose(self, waiting: Sequence[StoredTask]) -> Start | None:
        """Returns the first task that can start now, with its slot; None if none can.

        Args:
            waiting: Tasks that may start, in the order in which they should.

        Raises:
            OffbranchError: A lock file cannot be made.
        """
        self._forget_others({stored.task.id for stored in waiting})
        if self.is_full:
            return None
        refused: dict[Need, StoredTask] = {}
        passed: list[StoredTask] = []
        is_stuck = self._turn is None and self._stuck[0] == waiting
        for stored in self._stuck[1] if is_stuck else waiting:
            if self.fits_ever(stored) is not None:
                continue
            need = need_of(self.offer, stored.task.resources)
            is_its_turn = self._turn is not None and self._turn.task_id == stored.task.id
            if is_its_turn or (need not in refused and self._may_start(need, passed)):
                slot = self._take(stored, need)
                if slot is not None:
                    before = waiting[: waiting.index(stored)] if is_stuck else passed
                    self._count([each for each in before if each.task.id not in self.unfit])
                    return Start(stored=stored, slot=slot)
                refused.setdefault(need, stored)
            passed.append(stored)
        self._stuck = ([*waiting], [*refused.values()]) if self._turn is None else ((), ())
        return None

    def acquire(self, stored: StoredTask) -> Slot | None:
        """Returns a slot for a task; None if it does not fit now.

        Raises:
            OffbranchError: A lock file cannot be made.
        """
        if self.is_full or self.fits_ever(stored) is not None:
            return None
        return self._take(stored, need_of(self.offer, stored.task.resources))

    def release(self, slot: Slot) -> None:
        """Gives a slot back. A device that a command left behind still uses stays locked until that has ended."""
        self._uses.pop(slot.number, None)
        self._stuck = ((), ())
        _close((*slot.descriptors, *slot.own))
        forget_limit(slot.memory)

    def fits_ever(self, stored: StoredTask) -> str | None:
        """Returns why a task can never run here, None if it can; `unfit` remembers it."""
        need = need_of(self.offer, stored.task.resources)
        reason = misfit(self.offer, need, self._look() if need.gpus else Looked())
        if reason is None:
            self.unfit.pop(stored.task.id, None)
        else:
            self.unfit[stored.task.id] = reason
        return reason

    def limits(self, stored: StoredTask, slot: Slot) -> Callable[[], None]:
        """Returns what is to be done in the child before the task starts."""
        return lambda: self.confine(slot)

    def confine(self, slot: Slot) -> None:
        """Makes a forked child let go of what other tasks have, and keeps it to its own processors."""
        others = [use.slot for number, use in self._uses.items() if number != slot.number]
        _close([descriptor for other in others for descriptor in (*other.descriptors, *other.own)])
        if self._turn is not None:
            _close(self._turn.descriptors())
        keep_to(slot.cpus)

    def close(self) -> None:
        """Lets go of everything."""
        self._end_turn()
        for use in tuple(self._uses.values()):
            self.release(use.slot)

    def _look(self) -> Looked:
        if self._looked is None:
            self._looked = Looked(devices=self.offer.gpus) if self.offer.gpus is not None else self.offer.look()
        return self._looked

    def _least_used(self) -> list[Device]:
        """Returns the GPUs in their order; where tasks share them, those that fewer of ours have come first."""
        used = [each.key for use in self._uses.values() for each in use.held]
        return sorted(self._look().devices, key=lambda device: used.count(key_of(device)))

    def _free(self) -> Free:
        needs = [use.need for use in self._uses.values()]
        return Free(
            slots=self.offer.n_slots - len(needs),
            cpus=self.offer.n_cpus - sum(need.cpus for need in needs),
            memory_bytes=self.offer.memory_bytes - sum(need.memory_bytes for need in needs),
        )

    def _take(self, stored: StoredTask, need: Need) -> Slot | None:
        turn = self._turn if self._turn is not None and self._turn.task_id == stored.task.id else None
        gpus: list[HeldDevice] = turn.gpus if turn is not None else []
        cpus: list[HeldDevice] = turn.cpus if turn is not None else []
        number = next(each.number for each in self.all if each.number not in self._uses)
        holder = {"task_id": stored.task.id, "name": stored.name, "slot": str(number)}
        if turn is not None and turn.right is None:
            self._reserve(turn)
        devices = {key_of(device): device for device in self._least_used()} if need.gpus else {}
        processors = {processor_key(cpu): cpu for cpu in self.offer.cpus} if need.cpus else {}
        self._gather(gpus, devices, need.gpus, holder, self.offer.tasks_per_gpu)
        self._gather(cpus, processors, need.cpus, holder, 1)
        if len(gpus) < need.gpus or len(cpus) < need.cpus or not self._free().holds(need):
            if turn is None or turn.right is None:
                _close([descriptor for held in (gpus, cpus) for each in held for descriptor in each.descriptors])
                gpus.clear()
                cpus.clear()
            return None
        descriptors = tuple(descriptor for each in (*gpus, *cpus) for descriptor in each.descriptors)
        if turn is not None:
            turn.gpus, turn.cpus = [], []
            self._end_turn()
        self._passed.pop(stored.task.id, None)
        own = tuple(device for key, device in devices.items() if any(each.key == key for each in gpus))
        label, lock = self._label(number, holder)
        slot = Slot(
            number=number,
            label=label,
            env=self._variables(label, own, need, stored.task.resources),
            gpus=tuple(device.label for device in own),
            cpus=tuple(sorted(processors[each.key] for each in cpus)),
            memory=limit_memory(need.memory_bytes, f"{os.getpid()}-{number}") if need.memory_bytes else None,
            descriptors=descriptors,
            own=() if lock is None else lock.descriptors,
        )
        self._stuck = ((), ())
        self._uses[number] = _Use(slot=slot, need=need, held=(*gpus, *cpus))
        return slot

    def _gather(
        self, held: list[HeldDevice], keys: Collection[str], wanted: int, holder: Mapping[str, str], parts: int
    ) -> None:
        """Adds to what is held until it is as much as is wanted, or nothing is free any more."""
        if self._locks is None or len(held) >= wanted:
            return
        mine = {each.key for each in held}
        is_ours = self._turn is not None and self._turn.right is not None
        avoided = frozenset() if is_ours else self._locks.reserved_elsewhere()
        for key in keys:
            if len(held) >= wanted:
                return
            if key not in mine and key not in avoided and (taken := self._locks.take(key, holder, parts=parts)):
                held.append(taken)

    def _label(self, number: int, holder: Mapping[str, str]) -> tuple[str, HeldDevice | None]:
        if self._locks is None or self.offer.is_granted:
            return str(number), None
        found, lock = self._locks.take_number(holder)
        return str(number if lock is None else found), lock

    def _variables(self, label: str, own: Sequence[Device], need: Need, said: Resources) -> dict[str, str]:
        env = {SLOT_VARIABLE: label}
        if self.offer.is_granted:
            return env
        if need.gpus or self.offer.gpus is not None or said.gpus is not None:
            kinds = [device.kind for device in (own or (self._looked or Looked()).devices or self.offer.gpus or ())]
            env |= variables_of(own, kinds[0] if kinds else Kind.NVIDIA, self.offer.env)
        if need.cpus and "OMP_NUM_THREADS" not in self.offer.env:
            env["OMP_NUM_THREADS"] = str(need.cpus)
        return env

    # Turns: nobody waits for ever

    def _may_start(self, need: Need, before: Sequence[StoredTask]) -> bool:
        turn = self._turn
        if turn is None or all(each.task.id != turn.task_id for each in before):
            return True
        return turn.leaves_room(need, self._free())

    def _count(self, passed: Sequence[StoredTask]) -> None:
        """Notes that a task has started before some that came first; the first of them that has had enough gets its turn."""
        for stored in passed:
            n_passed = self._passed[stored.task.id] = self._passed.get(stored.task.id, 0) + 1
            if n_passed >= ROUNDS * self.offer.n_slots and self._turn is None:
                self._turn = Turn(stored.task.id, need_of(self.offer, stored.task.resources))

    def _reserve(self, turn: Turn) -> None:
        if self._locks is not None and (turn.need.gpus or turn.need.cpus):
            gpus = [key_of(device) for device in self._look().devices] if turn.need.gpus else []
            cpus = [processor_key(cpu) for cpu in self.offer.cpus] if turn.need.cpus else []
            turn.right = self._locks.reserve([*gpus, *cpus])

    def _forget_others(self, waiting: Collection[str]) -> None:
        if self._turn is not None and self._turn.task_id not in waiting:
            self._end_turn()
        for known in (self._passed, self.unfit):
            for task_id in [each for each in known if each not in waiting]:
                del known[task_id]

    def _end_turn(self) -> None:
        if self._turn is not None:
            _close(self._turn.descriptors())
            self._turn = None


def _close(descriptors: Collection[int]) -> None:
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)
