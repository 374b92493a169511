"""Finds the GPUs of this machine without any library: asks `nvidia-smi`, reads /proc and /sys. Loaded by name.

NVIDIA: `nvidia-smi -L`, else /proc/driver/nvidia; of a GPU that is cut into parts (MIG) the parts are found, not the whole.
AMD: the topology of its kernel driver. What CUDA_VISIBLE_DEVICES (ROCR_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES) leaves out is not
there for us.

Source: MIG User Guide R550; ROCm 6 documentation, "GPU isolation techniques"; include/uapi/linux/kfd_sysfs.h of Linux 6.1.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from offbranch.base.files import read_system_file
from offbranch.queue.slots.devices import Device, Found, Kind, visible_devices

# A driver without persistence mode wakes every GPU first: 2 s each on a slow machine.
_PATIENCE_S = 30.0
_PROC: Final = "/proc/driver/nvidia/gpus"
_KFD: Final = "/sys/class/kfd/kfd/topology/nodes"
_GPU = re.compile(r"GPU (?P<index>\d+): (?P<name>.*?) \(UUID: (?P<uuid>[^)]+)\)")
_PART = re.compile(r"\s+MIG (?P<name>\S+)\s+Device\s+\d+: \(UUID: (?P<uuid>MIG-[^)]+)\)")


def find_devices(
    env: Mapping[str, str], *, proc: str = _PROC, kfd: str = _KFD, patience_s: float = _PATIENCE_S
) -> Found:
    """Returns the GPUs that commands may use.

    Args:
        env: Variables of the process: PATH, and what is visible.
        proc: Where the driver of NVIDIA tells of its devices.
        kfd: Where that of AMD does.
        patience_s: Seconds that `nvidia-smi` has; it hangs where a GPU has fallen off its bus.
    """
    text, problem = _ask_nvidia(env, patience_s)
    devices = _of_listing(text) or _of_proc(proc)
    if not devices and (of_amd := _of_kfd(kfd)):
        return visible_devices(
            of_amd, env, ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"), problem
        )
    return visible_devices(devices, env, ("CUDA_VISIBLE_DEVICES",), problem)


def _ask_nvidia(env: Mapping[str, str], patience_s: float) -> tuple[str, str]:
    """Returns what `nvidia-smi -L` prints, and what was wrong with it; never waits for longer."""
    try:
        process = subprocess.Popen(
            ["nvidia-smi", "-L"],
            env={**env, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return "", ""
    try:
        out, _ = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        if process.stdout is not None:
            process.stdout.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        if process.returncode is None:
            process.returncode = -9  # stuck in the kernel: nobody can wait for it
        return "", f"nvidia-smi did not answer within {patience_s:g} s"
    text = out.decode("utf-8", "replace")
    if process.returncode != 0:  # what has fallen off its bus is not listed, all others are
        return text, f"nvidia-smi exited with {process.returncode}"
    if text.strip() and _GPU.search(text) is None and "no devices" not in text.lower():
        return "", "what nvidia-smi prints is not understood"
    return text, ""


def _of_listing(text: str) -> tuple[Device, ...]:
    devices: list[Device] = []
    whole: Device | None = None
    for line in text.splitlines():
        if (gpu := _GPU.match(line)) is not None:
            whole = Device(kind=Kind.NVIDIA, index=int(gpu["index"]), uuid=gpu["uuid"], name=gpu["name"])
            devices.append(whole)
        elif (part := _PART.match(line)) is not None and whole is not None:
            if devices[-1] == whole:  # cut into parts, it cannot be used as a whole
                devices.pop()
            name = f"{whole.name} {part['name']}"
            devices.append(Device(kind=Kind.NVIDIA, index=None, uuid=part["uuid"], name=name, whole=whole.index))
    return tuple(devices)


def _of_proc(proc: str) -> tuple[Device, ...]:
    """Reads what the driver of NVIDIA tells; the names of the directories are the places on the PCI bus."""
    devices = []
    for index, place in enumerate(_entries(proc)):
        said = dict(line.partition(":")[::2] for line in read_system_file(f"{proc}/{place}/information").splitlines())
        uuid = said.get("GPU UUID", "").strip()
        known = uuid if re.fullmatch(r"GPU-[0-9a-f-]+", uuid) else None  # the driver may answer with question marks
        devices.append(Device(kind=Kind.NVIDIA, index=index, uuid=known, name=said.get("Model", "").strip()))
    return tuple(devices)


def _of_kfd(kfd: str) -> tuple[Device, ...]:
    devices: list[Device] = []
    for node in sorted((name for name in _entries(kfd) if name.isdigit()), key=int):
        said = dict(
            line.split(" ", 1) for line in read_system_file(f"{kfd}/{node}/properties").splitlines() if " " in line
        )
        if said.get("simd_count", "0") == "0":  # a processor
            continue
        number = said.get("unique_id", "0")
        uuid = f"GPU-{int(number):016x}" if number.isdigit() and number != "0" else None
        name = read_system_file(f"{kfd}/{node}/name").strip()
        devices.append(Device(kind=Kind.AMD, index=len(devices), uuid=uuid, name=name))
    return tuple(devices)


def _entries(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
