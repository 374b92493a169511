"""The pool of slots: who gets what, that no two have the same, and that nobody waits for ever."""

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbranch.base.paths import AbsPath
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.git.ids import CommitId, TreeId
from offbranch.pipeline.options import ExecuteOptions, RunOptions, SelectOptions
from offbranch.queue.resources import Resources
from offbranch.queue.slots.device_locks import DeviceLocks, key_of, processor_key
from offbranch.queue.slots.devices import Device, Kind
from offbranch.queue.slots.offer import Looked, Offer
from offbranch.queue.slots.pool import ROUNDS, Slot, SlotPool, Start
from offbranch.queue.task import StoredTask, Task
from offbranch.queue.workers import Worker, WorkerKind, why_unfit

BASELINE = CommitId("a" * 40)


def task(name: str, **needs: int) -> StoredTask:
    memory = needs.pop("memory", None)
    about = Task(
        id=name,
        spec=ExperimentSpec(name=name, baseline=BASELINE),
        options=RunOptions(select=SelectOptions(), execute=ExecuteOptions()),
        copy_paths=(),
        created_utc=0.0,
        order=1,
        resources=Resources(**needs, memory_bytes=memory),
    )
    return StoredTask(task=about, ref=f"refs/ob/tasks/{name}", commit=BASELINE, tree=TreeId("b" * 40))


def gpus(n: int) -> tuple[Device, ...]:
    return tuple(Device(kind=Kind.NVIDIA, index=number, uuid=f"GPU-{number}") for number in range(n))


def offer(n_slots: int, n_gpus: int | None = None, n_cpus: int = 0, memory: int = 0, **more: int) -> Offer:
    devices = None if n_gpus is None else gpus(n_gpus)
    cpus = tuple(range(n_cpus))
    return Offer(n_slots=n_slots, gpus=devices, cpus=cpus, n_cpus=n_cpus, memory_bytes=memory, **more)


@pytest.fixture
def locks(tmp_path: Path) -> DeviceLocks:
    return DeviceLocks(AbsPath(str(tmp_path / "slots")), "/p", clock=lambda: 7.0)


def drain(pool: SlotPool, waiting: list[StoredTask]) -> Iterator[Start]:
    """Starts what can start now."""
    while (start := pool.choose(waiting)) is not None:
        waiting.remove(start.stored)
        yield start


def names(starts: Sequence[Start]) -> list[str]:
    return [start.stored.name for start in starts]


def test_plain_slots_are_numbered_and_used_again() -> None:
    pool = SlotPool(offer(2))
    waiting = [task("a"), task("b"), task("c")]
    a, b = drain(pool, waiting)
    assert [start.slot.label for start in (a, b)] == ["1", "2"]
    assert a.slot.env == {"OFFBRANCH_SLOT": "1"}
    assert a.slot.descriptors == () and a.slot.prefix == ()
    pool.release(a.slot)
    (c,) = drain(pool, waiting)
    assert c.slot.number == 1


def test_gpus_are_shared_out(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(4, 4, gpus_per_task=2), locks)
    waiting = [task("a"), task("b"), task("none", gpus=0), task("c", gpus=1)]
    a, b, none = drain(pool, waiting)
    assert (a.slot.gpus, b.slot.gpus, none.slot.gpus) == (("0", "1"), ("2", "3"), ())
    assert a.slot.env["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert a.slot.env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert none.slot.env["CUDA_VISIBLE_DEVICES"] == ""
    assert names([*drain(pool, waiting)]) == []
    pool.release(b.slot)
    (c,) = drain(pool, waiting)
    assert c.slot.gpus == ("2",)


def test_without_gpus_to_share_only_who_asks_gets_one(locks: DeviceLocks) -> None:
    asked: list[int] = []

    def look() -> Looked:
        asked.append(1)
        return Looked(devices=gpus(1))

    pool = SlotPool(Offer(n_slots=3, look=look, env={"OMP_NUM_THREADS": "9"}), locks)
    waiting = [task("plain")]
    (plain,) = drain(pool, waiting)
    assert plain.slot.env == {"OFFBRANCH_SLOT": "1"}
    assert asked == []
    waiting = [task("one", gpus=1), task("two", gpus=1), task("no", gpus=0)]
    one, no = drain(pool, waiting)
    assert one.slot.env["CUDA_VISIBLE_DEVICES"] == "0" and no.slot.env["CUDA_VISIBLE_DEVICES"] == ""
    assert asked == [1]


def test_no_two_tasks_of_a_machine_have_the_same_label(locks: DeviceLocks, tmp_path: Path) -> None:
    one, other = SlotPool(offer(2), locks), SlotPool(offer(2), DeviceLocks(locks.directory, "/other"))
    first = [*drain(one, [task("a"), task("b")])]
    (third,) = drain(other, [task("c")])
    assert [start.slot.env["OFFBRANCH_SLOT"] for start in (*first, third)] == ["1", "2", "3"]
    assert (third.slot.number, third.slot.label, third.slot.descriptors) == (1, "3", ())
    one.release(first[0].slot)
    (fourth,) = drain(other, [task("d")])
    assert (fourth.slot.number, fourth.slot.label) == (2, "1")
    (tmp_path / "file").write_text("")
    nowhere = SlotPool(offer(2), DeviceLocks(AbsPath(str(tmp_path / "file")), "/p"))
    assert [start.slot.label for start in drain(nowhere, [task("e"), task("f")])] == ["1", "2"]


def test_what_is_stuck_is_tried_again_by_its_first_ones_alone(locks: DeviceLocks) -> None:
    pool, other = SlotPool(offer(3, 3), locks), SlotPool(offer(3, 3), DeviceLocks(locks.directory, "/other"))
    held = [other.acquire(task(f"o{number}", gpus=1)) for number in range(3)]
    waiting = [task(f"{'big' if number % 2 else 'small'}{number}", gpus=1 + number % 2) for number in range(1000)]
    assert pool.choose(waiting) is None
    asked: list[str] = []
    judge = pool.fits_ever

    def fits_ever(stored: StoredTask) -> str | None:
        asked.append(stored.name)
        return judge(stored)

    pool.fits_ever = fits_ever  # type: ignore[method-assign]
    assert pool.choose(waiting) is None
    assert asked == ["small0", "big1"]
    assert pool.choose([task("none", gpus=0), *waiting]) is not None
    assert pool.choose(waiting) is None
    assert held[0] is not None
    other.release(held[0])
    start = pool.choose(waiting)
    assert start is not None and start.stored.name == "small0"


def test_where_all_is_granted_nothing_is_looked_for_locked_or_hidden(locks: DeviceLocks) -> None:
    def look() -> Looked:
        raise AssertionError("SLURM knows")

    pool = SlotPool(Offer(look=look, env={"CUDA_VISIBLE_DEVICES": "3"}, is_granted=True), locks)
    for stored in (task("much", gpus=64, cpus=4096, memory=1 << 50), task("none", gpus=0), task("plain")):
        (start,) = drain(pool, [stored])
        assert start.slot == Slot(number=1, label="1", env={"OFFBRANCH_SLOT": "1"})
        pool.release(start.slot)
    assert not os.path.exists(locks.directory)


def test_what_never_fits_is_told_and_holds_nobody_up(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(8, 2, n_cpus=4, memory=8 << 30), locks)
    waiting = [task("g", gpus=3), task("c", cpus=5), task("m", memory=9 << 30), task("ok", gpus=2)]
    assert names([*drain(pool, waiting)]) == ["ok"]
    assert pool.unfit == {
        "g": "needs 3 GPUs, and its worker may give 2",
        "c": "needs 5 processors, and its worker may give 4",
        "m": "needs 9G of memory, and its worker may give 8G",
    }
    pool.choose([])
    assert pool.unfit == {}
    assert SlotPool(offer(1, 0)).fits_ever(task("g", gpus=1)) == "needs 1 GPU, and its worker gives none"
    nothing = SlotPool(Offer())
    assert nothing.fits_ever(task("g", gpus=1)) == "needs 1 GPU, and no GPU is found on this machine"
    broken = SlotPool(Offer(look=lambda: Looked(problem="nvidia-smi exited with 9")))
    assert broken.fits_ever(task("g", gpus=1)) == "needs 1 GPU, and nvidia-smi exited with 9"


def test_processors_and_memory_are_shared_out(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(4, n_cpus=4, memory=10, cpus_per_task=1, memory_per_task=2), locks)
    waiting = [task("a", cpus=2), task("b"), task("c", cpus=3), task("d", memory=7), task("e", cpus=1, memory=1)]
    a, b, e = drain(pool, waiting)
    assert names((a, b, e)) == ["a", "b", "e"]
    assert (a.slot.cpus, b.slot.cpus, e.slot.cpus) == ((0, 1), (2,), (3,))
    assert a.slot.env["OMP_NUM_THREADS"] == "2"
    assert a.slot.memory is not None and a.slot.memory.n_bytes == 2
    pool.release(b.slot)
    pool.release(a.slot)
    assert names([*drain(pool, waiting)]) == ["c"]


def test_more_tasks_than_one_on_a_gpu_are_spread(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(9, 2, tasks_per_gpu=2), locks)
    starts = [*drain(pool, [task(name) for name in "abcde"])]
    assert [start.slot.gpus for start in starts] == [("0",), ("1",), ("0",), ("1",)]
    alone = SlotPool(offer(9, 2), locks)
    assert alone.acquire(task("x")) is None
    pool.release(starts[0].slot)
    assert alone.acquire(task("x")) is None  # another still has a part of it
    pool.release(starts[2].slot)
    whole = alone.acquire(task("x"))
    assert whole is not None and whole.gpus == ("0",)
    assert names([*drain(pool, [task("f")])]) == []


def test_a_task_with_several_gpus_gets_different_ones_where_they_are_shared(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(9, 2, tasks_per_gpu=3), locks)
    slots = [pool.acquire(task(name, gpus=2)) for name in "abcd"]
    assert [slot and slot.gpus for slot in slots] == [("0", "1")] * 3 + [None]
    assert pool.fits_ever(task("e", gpus=3)) is not None


def test_two_workers_never_share(locks: DeviceLocks, tmp_path: Path) -> None:
    one = SlotPool(offer(4, 3, n_cpus=2), locks)
    other = SlotPool(offer(4, 3, n_cpus=2), DeviceLocks(locks.directory, "/elsewhere"))
    a, b = one.acquire(task("a", gpus=2, cpus=1)), other.acquire(task("b", gpus=1, cpus=1))
    assert a is not None and b is not None
    assert (a.gpus, b.gpus, a.cpus, b.cpus) == (("0", "1"), ("2",), (0,), (1,))
    assert other.acquire(task("c", gpus=1)) is None
    holder = locks.holder(key_of(gpus(3)[2]))[0]
    assert (holder.name, holder.project, holder.slot, holder.is_alive) == ("b", "/elsewhere", "1", True)
    one.close()
    assert locks.held_keys() == (processor_key(1), "gpu-GPU-2")


def test_a_child_lets_go_of_what_others_have(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(2, 2), locks)
    own, other = pool.acquire(task("own")), pool.acquire(task("other"))
    assert own is not None and other is not None
    pid = os.fork()
    if pid == 0:
        code = 1
        with suppress(BaseException):
            pool.limits(task("own"), own)()
            code = 0 if _is_open(own.descriptors) and not _is_open(other.descriptors) else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _is_open(descriptors: Sequence[int]) -> bool:
    try:
        return bool([os.fstat(each) for each in descriptors])
    except OSError:
        return False


def test_a_task_is_unfit_if_every_worker_says_so() -> None:
    one = Worker(id="1", process=this_process(), started_utc=0.0, kind=WorkerKind.BACKGROUND, unfit={"a": "needs it"})
    other = replace(one, id="2", unfit={})
    assert why_unfit([one], "a") == "needs it"
    assert why_unfit([one, replace(other, stopping=True)], "a") == "needs it"
    assert why_unfit([one], "b") is why_unfit([one, other], "a") is why_unfit([], "a") is None


# Turns


def test_a_big_task_is_passed_over_only_so_often(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(2, 2), locks)
    big, running = task("big", gpus=2), []
    running += [start.slot for start in drain(pool, [task("first")])]
    for number in range(50):
        waiting = [big, task(f"small-{number}"), task(f"more-{number}")]
        for start in drain(pool, waiting):
            if start.stored is big:
                assert number <= ROUNDS * 2 + 2
                return
            running.append(start.slot)
        pool.release(running.pop(0))
    pytest.fail("it never came to be its turn")


def test_who_takes_nothing_from_it_goes_before_a_task_whose_turn_it_is(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(3, 2, n_cpus=2, memory=10), locks)
    big = task("big", gpus=2)
    (first,) = drain(pool, [task("first")])
    for number in range(ROUNDS * 3):
        (small,) = drain(pool, [big, task(f"small-{number}")])
        pool.release(small.slot)
    assert names([*drain(pool, [big, task("gpu", gpus=1)])]) == []
    (no_gpu,) = drain(pool, [big, task("gpu", gpus=1), task("cpu", gpus=0, cpus=1)])
    assert no_gpu.stored.name == "cpu"
    assert names([*drain(pool, [big, task("last", gpus=0)])]) == []  # that slot is for the big one
    pool.release(first.slot)
    assert names([*drain(pool, [big])]) == ["big"]


def test_a_turn_ends_with_the_task_that_had_it(locks: DeviceLocks) -> None:
    pool = SlotPool(offer(2, 2), locks)
    big = task("big", gpus=2)
    (first,) = drain(pool, [task("first")])
    for number in range(ROUNDS * 2):
        (small,) = drain(pool, [big, task(f"small-{number}")])
        pool.release(small.slot)
    assert names([*drain(pool, [big, task("small")])]) == []
    assert names([*drain(pool, [task("small")])]) == ["small"]  # the big one was taken out
    pool.release(first.slot)


def test_what_becomes_free_is_kept_from_other_workers_too(locks: DeviceLocks) -> None:
    one, other = (SlotPool(offer(4, 2), locks) for _ in range(2))
    big = task("big", gpus=2)
    theirs = other.acquire(task("theirs"))
    assert theirs is not None
    for number in range(ROUNDS * 4):
        (small,) = drain(one, [big, task(f"small-{number}")])
        one.release(small.slot)
    assert names([*drain(one, [big, task("small")])]) == []
    assert names([*drain(other, [task("small")])]) == []
    other.release(theirs)
    assert names([*drain(other, [task("small")])]) == []  # although one GPU is free
    assert names([*drain(one, [big])]) == ["big"]
    assert other.acquire(task("small")) is None
    one.close()
    assert other.acquire(task("small")) is not None


needs = st.fixed_dictionaries(
    {},
    optional={"gpus": st.integers(0, 4), "cpus": st.integers(1, 4), "memory": st.integers(1, 8)},
)


@settings(max_examples=150)
@given(
    sets=st.lists(st.lists(needs, max_size=12), min_size=1, max_size=3),
    n_slots=st.integers(1, 4),
    per_task=st.integers(0, 2),
    seed=st.integers(0, 1 << 30),
)
def test_any_tasks_of_any_workers_all_run_and_never_share(
    sets: list[list[dict[str, int]]], n_slots: int, per_task: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Several workers, each with its own queue, on one machine of 4 GPUs, 4 processors, and 8 of memory each."""
    rng, directory = random.Random(seed), AbsPath(str(tmp_path_factory.mktemp("slots")))
    made = offer(n_slots, 4, n_cpus=4, memory=8, gpus_per_task=per_task)
    pools = [SlotPool(made, DeviceLocks(directory, str(number))) for number in range(len(sets))]
    queues = [[task(f"{number}-{n}", **need) for n, need in enumerate(wanted)] for number, wanted in enumerate(sets)]
    running: list[tuple[int, Slot]] = []
    ended = 0
    while any(queues) or running:
        order = list(range(len(pools)))
        rng.shuffle(order)
        for number in order:
            if rng.random() < 0.8 or not running:
                running += [(number, start.slot) for start in drain(pools[number], queues[number])]
                _no_two_share(running, n_slots)
        if not running:  # one look may have ended a turn that was in the way of another
            running += [(number, start.slot) for number in order for start in drain(pools[number], queues[number])]
        assert running, f"nothing runs, and these wait: {[names_of(queue) for queue in queues]}"
        number, slot = running.pop(rng.randrange(len(running)))
        pools[number].release(slot)
        ended += 1
    assert ended == sum(map(len, sets))
    assert not any(pool.unfit for pool in pools)
    for pool in pools:
        pool.close()
    assert DeviceLocks(directory, "").held_keys() == ()


def names_of(queue: Sequence[StoredTask]) -> list[str]:
    return [stored.name for stored in queue]


def _no_two_share(running: Sequence[tuple[int, Slot]], n_slots: int) -> None:
    for kind in ("gpus", "cpus"):
        used = [each for _, slot in running for each in getattr(slot, kind)]
        assert len(used) == len(set(used)), f"{kind} are shared: {used}"
    for number in {number for number, _ in running}:
        slots = [slot for other, slot in running if other == number]
        assert len({slot.number for slot in slots}) == len(slots) <= n_slots
        assert sum(slot.memory.n_bytes for slot in slots if slot.memory is not None) <= 8
