"""Which process is which: a process id alone can be re-used, together with its start time it cannot.

Facts about our own process that other modules write down (locks, records of runs) come from here.
"""

import os
import sys
from functools import cache

from offbranch.base.plugins import load
from offbranch.base.records import record


@record
class ProcessInfo:
    """Who holds or did something.

    Attributes:
        pid: Process id on `host`.
        started: Start time of the process as the system tells it (opaque text; equal means the same process).
        host: Name of the machine.
        command: Command line, for people.
    """

    pid: int
    started: str
    host: str
    command: str


def this_process() -> ProcessInfo:
    """Returns the description of the running process."""
    return _describe(os.getpid())


@cache
def _describe(pid: int) -> ProcessInfo:
    # By process id, so that a forked child does not take itself for its parent.
    name = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
    command = " ".join(["ob" if name == "__main__.py" else name, *sys.argv[1:]])
    return ProcessInfo(pid=pid, started=start_time(pid) or "", host=host_name(), command=command[:300])


def host_name() -> str:
    """Returns the name of this machine."""
    return os.uname().nodename if hasattr(os, "uname") else "localhost"


def start_time(pid: int) -> str | None:
    """Returns when a process of this machine started, None if there is no such process (or it is a zombie)."""
    if sys.platform.startswith("linux"):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    if os.name == "nt":
        return "running" if _exists(pid) else None
    # Loaded by name: where /proc tells everything, a start-up need not pay for it (6 ms).
    done = load("subprocess:run")(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def command_of(pid: int) -> str:
    """Returns the command line of a process of this machine, or an empty text."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def is_alive(process: ProcessInfo) -> bool:
    """Tells whether that very process still runs; one on another machine counts as alive, for nobody here can know."""
    if process.host != host_name():
        return True
    now = start_time(process.pid)
    return now is not None and (not process.started or now == process.started)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
