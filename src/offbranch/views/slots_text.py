"""What a machine has for tasks, as text and as JSON: GPUs, processors, memory, and the slots of workers."""

from collections.abc import Iterator, Sequence
from typing import Any

from offbranch.base.records import as_dict
from offbranch.queue.resources import size_text
from offbranch.queue.slots.device_locks import DeviceHolder
from offbranch.queue.slots.machine import GpuState, Machine
from offbranch.queue.workers import Worker
from offbranch.views.text import aligned

_LIMITS = {
    "cgroup": "limits hold for a task as a whole",
    "process": "limits hold for each process by itself",
    None: "limits are not kept here",
}


def machine_lines(machine: Machine) -> Iterator[str]:
    """Yields what a machine has, for people."""
    if machine.gpus:
        yield from aligned([("GPU", "Model", "Held by"), *(_gpu_row(gpu) for gpu in machine.gpus)])
    else:
        yield "No GPU is found." if machine.hidden_by is None else f"{machine.hidden_by} leaves no GPU."
    if machine.problem:
        yield f"({machine.problem})"
    yield ""
    yield f"Processors: {len(machine.processors)}" + (f", {len(machine.taken)} taken" if machine.taken else "")
    yield f"Memory: {size_text(machine.memory_bytes)}; {_LIMITS[machine.memory_limited_by]}"
    for worker in machine.workers:
        yield ""
        yield f"Worker {worker.id} (process {worker.process.pid})"
        yield from aligned([("Slot", "GPUs", "Task"), *_slot_rows(worker)])


def machine_to_json(machine: Machine) -> dict[str, Any]:
    """Returns the same for programs."""
    return {
        "gpus": [_gpu(gpu) for gpu in machine.gpus],
        "gpus_hidden_by": machine.hidden_by,
        "problem": machine.problem or None,
        "processors": list(machine.processors),
        "processors_taken": [
            {"number": each.number, "holders": [_holder(holder) for holder in each.holders]} for each in machine.taken
        ],
        "memory_bytes": machine.memory_bytes,
        "memory_limited_by": machine.memory_limited_by,
        "locks": machine.locks,
        "workers": [_worker(worker) for worker in machine.workers],
    }


def _gpu_row(gpu: GpuState) -> tuple[str, str, str]:
    return gpu.label, "" if gpu.device is None else gpu.device.name, _holders_text(gpu.holders)


def _holders_text(holders: Sequence[DeviceHolder]) -> str:
    texts = []
    for holder in holders:
        if holder.process is None:
            texts.append("a process")
            continue
        whose = f"'{holder.name}' of {holder.project}" if holder.name else f"process {holder.process.pid}"
        texts.append(whose if holder.is_alive else f"a command left behind by {whose}")
    return ", ".join(texts) or "-"


def _slot_rows(worker: Worker) -> Iterator[tuple[str, str, str]]:
    for slot in worker.slots:
        yield slot.label, ",".join(slot.gpus) or "-", slot.name or "-"


def _gpu(gpu: GpuState) -> dict[str, Any]:
    device = gpu.device
    about = {
        "label": gpu.label,
        "index": device.index if device else None,
        "uuid": device.uuid if device else None,
        "name": device.name if device else None,
        "kind": device.kind.value if device else None,
        "part_of": device.whole if device else None,
    }
    return {**about, "holders": [_holder(holder) for holder in gpu.holders]}


def _holder(holder: DeviceHolder) -> dict[str, Any]:
    process = None if holder.process is None else as_dict(holder.process)
    return {**as_dict(holder), "process": process}


def _worker(worker: Worker) -> dict[str, Any]:
    return {
        "id": worker.id,
        "kind": worker.kind.value,
        "pid": worker.process.pid,
        "host": worker.process.host,
        "stopping": worker.stopping,
        "gpus": None if worker.gpus is None else list(worker.gpus),
        "slots": [as_dict(slot) for slot in worker.slots],
        "unfit": dict(worker.unfit),
    }
