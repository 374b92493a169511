"""What a machine has, as people and programs get it."""

import json

from offbranch.base.processes import ProcessInfo
from offbranch.queue.slots.device_locks import DeviceHolder
from offbranch.queue.slots.devices import Device, Kind
from offbranch.queue.slots.machine import GpuState, Machine, ProcessorState
from offbranch.queue.workers import SlotUse, Worker, WorkerKind
from offbranch.views.slots_text import machine_lines, machine_to_json

PROCESS = ProcessInfo(pid=7, started="1", host="h", command="ob queue start")


def holder(name: str | None = "lr", *, is_alive: bool = True) -> DeviceHolder:
    return DeviceHolder(
        process=PROCESS, is_alive=is_alive, project="/p", task_id="t", name=name, slot="1", since_utc=5.0
    )


def machine(*gpus: GpuState, **more: object) -> Machine:
    about = {"hidden_by": None, "problem": "", "processors": (0, 1, 2), "taken": (), "memory_bytes": 3 << 30}
    about |= {"memory_limited_by": "process", "locks": "/c/slots", **more}
    return Machine(gpus=gpus, **about)  # type: ignore[arg-type]


def gpu(index: int, *holders: DeviceHolder) -> GpuState:
    device = Device(kind=Kind.NVIDIA, index=index, uuid=f"GPU-{index}", name="A100")
    return GpuState(device=device, key=f"gpu-GPU-{index}", holders=holders)


def test_text() -> None:
    use = SlotUse(number=1, label="1", gpus=("0",), task_id="t", name="lr")
    worker = Worker(
        id="w", process=PROCESS, started_utc=0.0, kind=WorkerKind.BACKGROUND, slots=(use, SlotUse(number=2, label="2"))
    )
    unknown = GpuState(device=None, key="gpu-other-5", holders=(DeviceHolder(),))
    shown = machine(
        gpu(0, holder()),
        gpu(1),
        gpu(2, holder("a"), holder("b", is_alive=False)),
        gpu(3, holder(None)),
        unknown,
        taken=(ProcessorState(number=1, holders=(holder(),)),),
        workers=(worker,),
        problem="nvidia-smi exited with 9",
    )
    assert "\n".join(machine_lines(shown)) == (
        "GPU        Model    Held by\n"
        "0          A100     'lr' of /p\n"
        "1          A100     -\n"
        "2          A100     'a' of /p, a command left behind by 'b' of /p\n"
        "3          A100     process 7\n"
        "other-5             a process\n"
        "(nvidia-smi exited with 9)\n"
        "\n"
        "Processors: 3, 1 taken\n"
        "Memory: 3G; limits hold for each process by itself\n"
        "\n"
        "Worker w (process 7)\n"
        "Slot    GPUs    Task\n"
        "1       0       lr\n"
        "2       -       -"
    )


def test_text_without_gpus() -> None:
    assert next(machine_lines(machine())) == "No GPU is found."
    assert next(machine_lines(machine(hidden_by="CUDA_VISIBLE_DEVICES"))) == "CUDA_VISIBLE_DEVICES leaves no GPU."


def test_json() -> None:
    data = json.loads(json.dumps(machine_to_json(machine(gpu(1, holder()), memory_limited_by=None))))
    assert data["gpus"] == [
        {
            "label": "1",
            "index": 1,
            "uuid": "GPU-1",
            "name": "A100",
            "kind": "nvidia",
            "part_of": None,
            "holders": [
                {
                    "process": {"pid": 7, "started": "1", "host": "h", "command": "ob queue start"},
                    "is_alive": True,
                    "project": "/p",
                    "task_id": "t",
                    "name": "lr",
                    "slot": "1",
                    "since_utc": 5.0,
                }
            ],
        }
    ]
    assert (data["processors"], data["memory_bytes"], data["memory_limited_by"]) == ([0, 1, 2], 3 << 30, None)
    assert (data["workers"], data["problem"], data["locks"]) == ([], None, "/c/slots")
