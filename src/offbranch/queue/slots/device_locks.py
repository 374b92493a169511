"""Locks of GPUs and processors: no two tasks of this machine have the same one, whatever worker or project they are of.

A lock file for each device, in the user's directory for derived data, or in one that users share (OFFBRANCH_SLOTS_DIR). The
lock is handed on to all commands of a task and is given back when the last process that has it open is gone: nothing has to be
cleared up after a kill, and what a killed task leaves running keeps its GPU. A GPU that several tasks share is locked shared
as a whole, and each of them locks a part.
"""

import json
import os
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.locks import is_locked, take_lock
from offbranch.base.paths import AbsPath
from offbranch.base.processes import ProcessInfo, host_name, is_alive, this_process
from offbranch.base.records import as_dict, record
from offbranch.queue.slots.devices import Device

_RESERVED = "reserved"
_NUMBER = "slot-"
_MOST_NUMBERS = 10_000


@record
class HeldDevice:
    """A device that is ours as long as its descriptors are open."""

    key: str
    descriptors: tuple[int, ...]


@record
class DeviceHolder:
    """Who has a device.

    Attributes:
        process: The worker that took it; None if the lock file does not say.
        is_alive: Whether that one lives; if not, a command that it left behind has the device.
        project: Root of its project.
        task_id: The task it took it for, by id and name.
        slot: The number of the slot in its worker.
        since_utc: Seconds since the epoch.
    """

    process: ProcessInfo | None = None
    is_alive: bool = False
    project: str | None = None
    task_id: str | None = None
    name: str | None = None
    slot: str | None = None
    since_utc: float | None = None


def key_of(device: Device) -> str:
    """Returns what the lock of a GPU is called: its UUID, which is the same in every container, else its number here."""
    return _plain(f"gpu-{device.uuid}" if device.uuid else f"gpu-{host_name()}-{device.label}")


def processor_key(number: int) -> str:
    """Returns what the lock of a processor is called."""
    return _plain(f"cpu-{host_name()}-{number}")


class DeviceLocks:
    """The lock files of one directory.

    Args:
        directory: Made when it is first needed.
        project: Root of the project that tasks are of, for those who ask who has a device.
        clock: Seconds since the epoch.
    """

    def __init__(self, directory: AbsPath, project: str, clock: Callable[[], float] = time.time) -> None:
        self.directory = directory
        self._project = project
        self._clock = clock

    def take(self, key: str, holder: Mapping[str, str], *, parts: int = 1) -> HeldDevice | None:
        """Takes a device, or one of the parts that it is shared in; None if it is not to be had now.

        Raises:
            OffbranchError: The lock file cannot be made.
        """
        if parts == 1:
            descriptor = self._take(key, self._content(holder))
            return None if descriptor is None else HeldDevice(key=key, descriptors=(descriptor,))
        whole = self._take(key, None, shared=True)
        if whole is None:
            return None
        for part in range(parts):
            descriptor = self._take(f"{key}.part-{part}", self._content(holder))
            if descriptor is not None:
                return HeldDevice(key=key, descriptors=(whole, descriptor))
        os.close(whole)
        return None

    def take_number(self, holder: Mapping[str, str]) -> tuple[int, HeldDevice | None]:
        """Takes the smallest number that no other task of this machine has; where nothing can be locked, 1 without a lock."""
        for number in range(1, _MOST_NUMBERS):
            try:
                if (taken := self.take(_plain(f"{_NUMBER}{host_name()}-{number}"), holder)) is not None:
                    return number, taken
            except OffbranchError:
                break
        return 1, None

    def reserve(self, keys: Sequence[str]) -> int | None:
        """Takes the right, which only one worker at a time has, to hold devices idle until it has as many as a task needs.

        Args:
            keys: The devices that it waits for; others leave them alone meanwhile.

        Returns:
            The descriptor of the lock; None if another has the right.
        """
        return self._take(_RESERVED, self._content({}, keys=list(keys)))

    def reserved_elsewhere(self) -> frozenset[str]:
        """Returns the devices that another worker waits for; to be asked by who has not reserved any."""
        path = self._path(_RESERVED)
        with suppress(OSError):
            if is_locked(path):
                said = _read(path).get("keys")
                return frozenset(map(str, said)) if isinstance(said, list) else frozenset()
        return frozenset()

    def holder(self, key: str) -> tuple[DeviceHolder, ...]:
        """Returns who has a device; several if they share it. Changes nothing."""
        held = []
        with suppress(OSError):
            parts = [name for name in os.listdir(self.directory) if name.startswith(f"{key}.part-")]
            for name in sorted(parts):
                if is_locked(path := AbsPath(os.path.join(self.directory, name))):
                    held.append(_holder(_read(path)))
            if not held and is_locked(path := self._path(key)):
                held.append(_holder(_read(path)))
        return tuple(held)

    def held_keys(self) -> tuple[str, ...]:
        """Returns the devices that somebody has, in the order of their names. Changes nothing."""
        try:
            names = os.listdir(self.directory)
        except OSError:
            return ()
        keys = {name.removesuffix(".lock").partition(".part-")[0] for name in names if name.endswith(".lock")}
        devices = [key for key in sorted(keys - {_RESERVED}) if not key.startswith(_NUMBER)]
        return tuple(key for key in devices if self.holder(key))

    def _take(self, key: str, content: str | None, *, shared: bool = False) -> int | None:
        try:
            os.makedirs(self.directory, exist_ok=True)
            return take_lock(self._path(key), content, shared=shared)
        except OSError as error:
            raise OffbranchError(
                f"cannot lock '{self._path(key)}': {(error.strerror or str(error)).lower()}",
                hint="let OFFBRANCH_SLOTS_DIR name a directory that you may write to",
            ) from error

    def _path(self, key: str) -> AbsPath:
        return AbsPath(os.path.join(self.directory, f"{key}.lock"))

    def _content(self, holder: Mapping[str, str], *, keys: Collection[str] = ()) -> str:
        said = {"version": 1, "process": as_dict(this_process()), "project": self._project, **holder}
        return json.dumps({**said, "since_utc": self._clock(), **({"keys": keys} if keys else {})}) + "\n"


def _plain(key: str) -> str:
    return re.sub(r"[^\w.-]", "_", key, flags=re.ASCII)


def _read(path: AbsPath) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            said = json.loads(file.read(1 << 16))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) and said.get("version") == 1 else {}


def _holder(said: Mapping[str, Any]) -> DeviceHolder:
    try:
        process = ProcessInfo(**said["process"])
    except (KeyError, TypeError):
        return DeviceHolder()
    texts = {name: str(said[name]) for name in ("project", "task_id", "name", "slot") if said.get(name) is not None}
    since = said.get("since_utc")
    return DeviceHolder(
        process=process,
        is_alive=is_alive(process),
        since_utc=since if isinstance(since, int | float) else None,
        **texts,
    )
