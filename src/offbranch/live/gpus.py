"""GPUs of NVIDIA as the monitor sees them: by the library `pynvml` if it is installed, else by the program `nvidia-smi`."""

import shutil
import time
from collections.abc import Callable
from typing import Any

from offbranch.base.plugins import load
from offbranch.live.command import run

GIB = 1024.0**3
MIB = 1024.0**2
# A process each time: some 50 ms.
_PAUSE_S = 1.0
Reading = tuple[float, float, float]


class Gpus:
    """GPUs that are sampled; none where there are none.

    Args:
        read: Returns for each: how busy it is in percent, used and all memory in bytes.
        close: Called at the end.
        pause_s: Shortest time between two readings.
    """

    def __init__(self, read: Callable[[], list[Reading]], close: Callable[[], object], *, pause_s: float = 0.0) -> None:
        self._read = read
        self.close = close
        self._pause_s = pause_s
        self._next_at = 0.0

    def fixed(self) -> dict[str, float]:
        """Returns what does not change."""
        found = self._read()
        if not found:
            return {}
        totals = {f"system/vram/total (GB)/{index}": total / GIB for index, (_, _, total) in enumerate(found)}
        return {"system/gpu/count": float(len(found)), **totals}

    def sample(self) -> dict[str, float]:
        """Returns what is the case now; nothing so shortly after the last reading."""
        found: dict[str, float] = {}
        now = time.monotonic()
        if now < self._next_at:
            return found
        self._next_at = now + self._pause_s
        for index, (busy, used, total) in enumerate(self._read()):
            found[f"system/gpu/usage (%)/{index}"] = busy
            found[f"system/vram/usage (%)/{index}"] = 100.0 * used / max(total, 1.0)
            found[f"system/vram/usage (GB)/{index}"] = used / GIB
        return found


def open_gpus() -> Gpus:
    """Returns the GPUs of this machine."""
    try:
        library = load("pynvml")
        library.nvmlInit()
        handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())]
        return Gpus(lambda: [_by_library(library, handle) for handle in handles], library.nvmlShutdown)
    except ImportError:
        pass
    except Exception as error:
        if not type(error).__name__.startswith("NVMLError"):
            raise
    if shutil.which("nvidia-smi") is None:
        return Gpus(list, lambda: None)
    return Gpus(_by_program, lambda: None, pause_s=_PAUSE_S)


def parse_program(text: str) -> list[Reading]:
    """Reads what `nvidia-smi` prints of utilization, used and whole memory (MiB), one line for each GPU."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 3 and all(field.replace(".", "", 1).isdigit() for field in fields):
            busy, used, total = (float(field) for field in fields)
            found.append((busy, used * MIB, total * MIB))
    return found


def _by_program() -> list[Reading]:
    query = "--query-gpu=utilization.gpu,memory.used,memory.total"
    done = run(("nvidia-smi", query, "--format=csv,noheader,nounits"), cwd="/")
    return parse_program(done.out) if done.code == 0 else []


def _by_library(library: Any, handle: Any) -> Reading:
    memory = library.nvmlDeviceGetMemoryInfo(handle)
    return float(library.nvmlDeviceGetUtilizationRates(handle).gpu), float(memory.used), float(memory.total)
