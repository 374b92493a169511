"""Samples processors, memory, disks and GPUs in a thread, and logs the mean of some samples at a time.

Names are those of DVCLive. Processors and memory are read from `/proc` on Linux, elsewhere by psutil if that is installed.
"""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Final

from offbranch.base.files import read_system_file
from offbranch.base.plugins import load
from offbranch.live.faults import Faults
from offbranch.live.gpus import open_gpus

GIB: Final = 1024.0**3
_BUSY_PERCENT: Final = 20.0
MOST_INTERVAL_S: Final = 0.1
MOST_SAMPLES: Final = 30

Sample = dict[str, float]
Log = Callable[[str, float, bool], None]


class Monitor:
    """A thread that samples until it is stopped; the last samples are logged then, however few."""

    def __init__(
        self, log: Log, faults: Faults, *, interval_s: float, n_samples: int, directories: Mapping[str, str]
    ) -> None:
        """Starts it.

        Args:
            log: Takes name, value, and whether it changes (only then it has a table).
            faults: Is told if something cannot be sampled.
            interval_s: Between samples, at most 0.1 s.
            n_samples: How many make one value, at most 30.
            directories: Name -> directory whose file system is looked at.
        """
        self._log = log
        self._faults = faults
        self._interval_s = min(max(interval_s, 0.001), MOST_INTERVAL_S)
        self._n_samples = min(max(n_samples, 1), MOST_SAMPLES)
        self._directories = dict(directories)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="offbranch-monitor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it, and waits until the last samples are logged."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        with self._faults.during("watch the machine"):
            gpus = open_gpus()
            self._directories = self._found(self._directories)
            ticks = _cpu_ticks()
            for name, value in {**_fixed(self._directories), **gpus.fixed()}.items():
                self._log(name, value, False)
            samples: list[Sample] = []
            while not self._stop.wait(self._interval_s):
                ticks, percents = _usage(ticks)
                samples.append({**_cpu(percents), **_memory(), **_disks(self._directories), **gpus.sample()})
                if len(samples) == self._n_samples:
                    self._log_mean(samples)
                    samples = []
            if samples:
                self._log_mean(samples)
            gpus.close()

    def _found(self, directories: Mapping[str, str]) -> dict[str, str]:
        """Returns the directories that can be looked at; a warning tells of the others."""
        found = {}
        for name, directory in directories.items():
            with self._faults.during(f"watch the file system of '{directory}'"):
                _disk(directory)
                found[name] = directory
        return found

    def _log_mean(self, samples: list[Sample]) -> None:
        for name in dict.fromkeys(name for sample in samples for name in sample):
            values = [sample[name] for sample in samples if name in sample]
            self._log(name, sum(values) / len(values), True)


def _fixed(directories: Mapping[str, str]) -> Sample:
    found = {"system/cpu/count": float(len(_cpu_ticks()) or os.cpu_count() or 0)}
    total = _memory_bytes()
    if total:
        found["system/ram/total (GB)"] = total[0] / GIB
    for name, directory in directories.items():
        found[f"system/disk/total (GB)/{name}"] = _disk(directory)[0] / GIB
    return found


def _cpu(percents: list[float]) -> Sample:
    if not percents:
        return {}
    n_busy = sum(percent >= _BUSY_PERCENT for percent in percents)
    return {
        "system/cpu/usage (%)": sum(percents) / len(percents),
        "system/cpu/parallelization (%)": 100.0 * n_busy / len(percents),
    }


def _memory() -> Sample:
    found = _memory_bytes()
    if not found:
        return {}
    total, used = found
    return {"system/ram/usage (%)": 100.0 * used / total, "system/ram/usage (GB)": used / GIB}


def _disks(directories: Mapping[str, str]) -> Sample:
    found: Sample = {}
    for name, directory in directories.items():
        try:
            total, used, free = _disk(directory)
        except OSError:  # it was there a moment ago
            continue
        # As df does: of what users may have, which is less than all of it.
        found[f"system/disk/usage (%)/{name}"] = 100.0 * used / max(used + free, 1.0)
        found[f"system/disk/usage (GB)/{name}"] = min(used, total) / GIB
    return found


def _disk(directory: str) -> tuple[float, float, float]:
    """Returns the size of the file system, what is used of it and what is free for users, in bytes."""
    if not hasattr(os, "statvfs"):
        usage = load("shutil").disk_usage(directory)
        return float(usage.total), float(usage.used), float(usage.free)
    found = os.statvfs(directory)
    size = found.f_frsize
    return (
        float(found.f_blocks * size),
        float((found.f_blocks - found.f_bfree) * size),
        float(found.f_bavail * size),
    )


def _memory_bytes() -> tuple[float, float] | None:
    """Returns all memory and what is used of it, in bytes; what the system can take back at once counts as free."""
    said = {}
    for line in read_system_file("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        said[name] = float(value.split()[0]) * 1024.0
    if "MemTotal" in said:
        return said["MemTotal"], said["MemTotal"] - said.get("MemAvailable", said.get("MemFree", 0.0))
    try:
        found = load("psutil").virtual_memory()
    except ImportError:
        return None
    return float(found.total), float(found.total - found.available)


def _cpu_ticks() -> list[tuple[float, float]]:
    """Returns busy and whole time of each processor so far, in ticks."""
    found = []
    for line in read_system_file("/proc/stat").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            times = [float(field) for field in fields[:8]]
            found.append((sum(times) - sum(times[3:5]), sum(times)))
    if found:
        return found
    try:
        times = load("psutil").cpu_times(percpu=True)
    except ImportError:
        return []
    return [(sum(one) - one.idle, sum(one)) for one in times]


def _usage(before: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[float]]:
    """Returns the times now, and how busy each processor was in between; it has to have ticked since, else as before."""
    now = _cpu_ticks()
    if len(now) != len(before) or not any(new[1] > old[1] for old, new in zip(before, now, strict=True)):
        return before, []
    return now, [
        100.0 * min(max((new[0] - old[0]) / max(new[1] - old[1], 1e-9), 0.0), 1.0)
        for old, new in zip(before, now, strict=True)
    ]
