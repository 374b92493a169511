"""GPUs as tasks have them: which ones a text names, which the environment leaves, how commands are told. Touches nothing.

Numbers are those of `nvidia-smi`, which go by PCI bus, so commands get CUDA_DEVICE_ORDER=PCI_BUS_ID. A part of a GPU (MIG) has
no number that CUDA knows, and is told by its UUID.

Source: CUDA C++ Programming Guide 12, "CUDA Environment Variables"; ROCm 6 documentation, "GPU isolation techniques".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from offbranch.base.errors import UsageError
from offbranch.base.records import record


class Kind(Enum):
    """Whose device it is, which decides by what variables commands are told."""

    NVIDIA = "nvidia"
    AMD = "amd"
    GIVEN = "given"


@record
class Device:
    """A GPU, or a part of one, that tasks can have.

    Attributes:
        index: Its number by PCI bus; None for a part of a GPU.
        uuid: Its identity wherever it is seen from; None where that cannot be told.
        name: Its model, for people.
        whole: Of a part, the number of the GPU that it is a part of.
    """

    kind: Kind
    index: int | None
    uuid: str | None = None
    name: str = ""
    whole: int | None = None

    @property
    def label(self) -> str:
        """How commands, and people, are told of it: its number, or the UUID of a part."""
        return str(self.index) if self.index is not None else str(self.uuid)


@record
class Found:
    """What a look at the machine came to.

    Attributes:
        devices: In the order of their numbers; without those that the environment hides.
        hidden_by: The variable that leaves some out; None if none does.
        problem: Why there may be more: in words, empty if nothing is wrong.
    """

    devices: tuple[Device, ...] = ()
    hidden_by: str | None = None
    problem: str = ""


def choose_devices(found: Found, wanted: Sequence[str]) -> tuple[Device, ...]:
    """Returns the devices that a user names, by number or by the beginning of a UUID, in that order; the parts of one
    that is cut into parts.

    Where no device is found at all, numbers are believed: a container may hide what would tell of them.

    Raises:
        UsageError: One is not there, or named twice.
    """
    chosen: list[Device] = []
    for text in wanted:
        devices = _match(found.devices, text)
        if not devices and text.isdigit() and not found.devices and found.hidden_by is None:
            devices = (Device(kind=Kind.GIVEN, index=int(text)),)
        if not devices:
            raise UsageError(f"there is no GPU '{text}' to use here{_why_not(found)}", hint=_hint(found))
        if any(device in chosen for device in devices):
            raise UsageError(f"GPU '{text}' is named twice", hint="name each once; --per-gpu lets tasks share one")
        chosen.extend(devices)
    return tuple(chosen)


def parse_gpus(text: str) -> tuple[str, ...]:
    """Reads a list of GPUs: numbers, ranges of them like `0-3`, UUIDs.

    Raises:
        UsageError: It is none.
    """
    found: list[str] = []
    for part in text.split(","):
        word = part.strip()
        span = re.fullmatch(r"(\d{1,4})-(\d{1,4})", word)
        if span and int(span[1]) <= int(span[2]):
            found.extend(map(str, range(int(span[1]), int(span[2]) + 1)))
        elif re.fullmatch(r"\d{1,4}|(GPU|MIG)-[\w./-]+", word):
            found.append(str(int(word)) if word.isdigit() else word)
        else:
            raise UsageError(
                f"'{text}' is no list of GPUs: '{word}' is neither a number nor a UUID",
                hint="like 0,1 or 0-3; 'all' stands for all there are, 'none' for none",
            )
    return tuple(found)


def variables_of(devices: Sequence[Device], kind: Kind, env: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables by which commands see these devices and no others; none of them if there are none.

    Args:
        kind: Of the devices of this machine.
        env: What the commands would find otherwise.
    """
    labels = ",".join(device.label for device in devices)
    if kind is not Kind.AMD:
        return {"CUDA_VISIBLE_DEVICES": labels, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    # ROCR hides devices from everything; what is left is counted anew, from 0, by the layers above it.
    inner = ",".join(str(number) for number in range(len(devices)))
    same = {"CUDA_VISIBLE_DEVICES": inner} if "CUDA_VISIBLE_DEVICES" in env else {}
    return {"ROCR_VISIBLE_DEVICES": labels, "HIP_VISIBLE_DEVICES": inner, **same}


def visible_devices(devices: tuple[Device, ...], env: Mapping[str, str], names: Iterable[str], problem: str) -> Found:
    """Returns those that no variable hides; the first that is set decides."""
    name = next((name for name in names if name in env), None)
    if name is None:
        return Found(devices=devices, problem=problem)
    left: list[Device] = []
    for text in env[name].split(","):
        word = text.strip()
        named = _match(devices, word)
        if not named and not devices and word.isdigit():
            named = (Device(kind=Kind.GIVEN, index=int(word)),)
        if not named or any(device in left for device in named):  # CUDA stops at the first that it does not know
            break
        left.extend(named)
    return Found(devices=tuple(left), hidden_by=name, problem=problem)


def _match(devices: Sequence[Device], text: str) -> tuple[Device, ...]:
    """Returns what a number or the beginning of a UUID stands for; several for a GPU that is cut into parts."""
    if text.isdigit():
        return tuple(device for device in devices if int(text) in (device.index, device.whole))
    found = tuple(device for device in devices if text and device.uuid is not None and device.uuid.startswith(text))
    return found if len(found) == 1 else ()


def _why_not(found: Found) -> str:
    if found.hidden_by is not None:
        return f": {found.hidden_by} leaves {', '.join(device.label for device in found.devices) or 'none'}"
    if found.devices:
        return f": there are {', '.join(device.label for device in found.devices)}"
    return f": {found.problem}" if found.problem else ": none is found"


def _hint(found: Found) -> str:
    if found.hidden_by is not None:
        return f"unset {found.hidden_by}, or name those it leaves"
    return "'ob queue slots' lists what is found; numbers are those of nvidia-smi"
