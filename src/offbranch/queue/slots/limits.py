"""Keeping a task within what it was given: the processors it runs on, and how much memory its commands may use.

Memory is limited by a control group (cgroup v2) where one can be made, which counts all commands of the task together, and
otherwise for each process by itself (RLIMIT_DATA). `ob` itself is not limited, only the commands it starts. Linux only.

Source: Documentation/admin-guide/cgroup-v2.rst and setrlimit(2) of Linux 6.1.
"""

import os
import sys
from contextlib import suppress
from typing import Final

from offbranch.base.files import read_system_file
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.queue.resources import parse_size, size_text

_CGROUP: Final = "/sys/fs/cgroup"
_GROUP_PREFIX: Final = "offbranch-"
# A command gets into the group before it starts, in a shell that it then takes the place of: same process, same signals.
# A limit that cannot be set is above one that holds already.
_JOIN = '{ echo $$ > "$0/cgroup.procs" || ulimit -d "$1"; } 2>/dev/null; shift; exec "$@"'
_LIMIT = 'ulimit -d "$1" 2>/dev/null; shift; exec "$@"'
# What programs say when they get no more memory, in lower case: Python, NumPy and PyTorch, C++, the C library, Java.
_SIGNS: Final = (
    b"memoryerror",
    b"unable to allocate",
    b"can't allocate memory",
    b"std::bad_alloc",
    b"cannot allocate memory",
    b"out of memory",
    b"outofmemoryerror",
    b"memory exhausted",
)
_LOG_END = 1 << 14


@record
class MemoryLimit:
    """How much memory the commands of one task may use.

    Attributes:
        group: Directory of the control group that counts it; None where each process is limited by itself.
    """

    n_bytes: int
    group: AbsPath | None = None

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command line begins with, so that the limit holds for it."""
        kilobytes = str(max(1, self.n_bytes // 1024))
        if self.group is None:
            return ("/bin/sh", "-c", _LIMIT, "sh", kilobytes)
        return ("/bin/sh", "-c", _JOIN, self.group, kilobytes)


def limit_memory(
    n_bytes: int, name: str, *, mount: str = _CGROUP, own: str = "/proc/self/cgroup"
) -> MemoryLimit | None:
    """Sets a limit up; None where this system offers none.

    Args:
        n_bytes: The most.
        name: Of the group, unique on this machine.
        mount: Where control groups are.
        own: The file that says which one we are in.
    """
    if not sys.platform.startswith("linux"):
        return None
    above = _group_above(mount, own)
    if above is None:
        return MemoryLimit(n_bytes=n_bytes)
    group = AbsPath(f"{above}/{_GROUP_PREFIX}{name}")
    try:
        os.mkdir(group)
        _write(group, "memory.max", str(n_bytes))
    except OSError:
        forget_limit(MemoryLimit(n_bytes=n_bytes, group=group))
        return MemoryLimit(n_bytes=n_bytes)
    for file, value in (
        ("memory.swap.max", "0"),
        ("memory.oom.group", "1"),
    ):  # absent without swap, and before Linux 4.19
        with suppress(OSError):
            _write(group, file, value)
    return MemoryLimit(n_bytes=n_bytes, group=group)


def memory_limited_by(*, mount: str = _CGROUP, own: str = "/proc/self/cgroup") -> str | None:
    """Returns how memory is limited here: `cgroup` for a task as a whole, `process` for each process of it, None for not."""
    if not sys.platform.startswith("linux"):
        return None
    return "process" if _group_above(mount, own) is None else "cgroup"


def forget_limit(limit: MemoryLimit | None) -> None:
    """Removes what a limit needed; a group in which something still runs stays."""
    if limit is not None and limit.group is not None:
        with suppress(OSError):
            os.rmdir(limit.group)


def memory_cause(limit: MemoryLimit | None, message: str, log: AbsPath) -> str | None:
    """Returns why a task failed if that is its limit of memory, in one line; None if nothing says so.

    Args:
        message: What else is known of the failure.
        log: What its commands wrote.
    """
    if limit is None:
        return None
    most = size_text(limit.n_bytes)
    if limit.group is not None and _was_killed(limit.group):
        return f"killed: used more than {most}"
    sign = next((sign for sign in _SIGNS if sign in _end_of(log)), None)
    return None if sign is None else f"used more than {most} ('{sign.decode()}' in its output): {message}"


def keep_to(cpus: tuple[int, ...]) -> None:
    """Lets this process, and all it starts from now on, run on some processors only; where that cannot be done, on all."""
    if cpus and sys.platform.startswith("linux"):
        with suppress(OSError):
            os.sched_setaffinity(0, cpus)


def usable_processors() -> tuple[int, ...]:
    """Returns the processors that this process may run on, by number."""
    if sys.platform.startswith("linux"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def usable_memory(*, mount: str = _CGROUP, own: str = "/proc/self/cgroup", info: str = "/proc/meminfo") -> int:
    """Returns how much memory there is, in bytes: that of the machine, or what a container is allowed."""
    found = [
        int(line.split()[1]) * 1024 for line in read_system_file(info).splitlines() if line.startswith("MemTotal:")
    ]
    group = _own_group(mount, own)
    while group is not None and group.startswith(mount):
        text = read_system_file(f"{group}/memory.max").strip()
        if text.isdigit():
            found.append(int(text))
        group = os.path.dirname(group)
    if not found and hasattr(os, "sysconf"):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found, default=parse_size("1P"))


def _group_above(mount: str, own: str) -> str | None:
    """Returns a control group in which we may make others that count memory."""
    here = _own_group(mount, own)
    for group in () if here is None else (here, os.path.dirname(here)):
        if (
            group.startswith(mount)
            and "memory" in read_system_file(f"{group}/cgroup.subtree_control").split()
            and os.access(group, os.W_OK)
            and os.access(f"{group}/cgroup.procs", os.W_OK)
        ):
            return group
    return None


def _own_group(mount: str, own: str) -> str | None:
    for line in read_system_file(own).splitlines():
        if line.startswith("0::") and os.path.exists(f"{mount}/cgroup.controllers"):
            return f"{mount}/{line[3:].strip('/')}".rstrip("/")
    return None


def _was_killed(group: str) -> bool:
    counts = dict(
        line.split() for line in read_system_file(f"{group}/memory.events").splitlines() if line.count(" ") == 1
    )
    return counts.get("oom_kill", "0") != "0"


def _end_of(log: str) -> bytes:
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_END))
            return file.read().lower()
    except OSError:
        return b""


def _write(group: str, name: str, text: str) -> None:
    with open(f"{group}/{name}", "w", encoding="ascii") as file:
        file.write(text)
