"""Who keeps a lock: also processes that have inherited it, which the lock file does not name."""

import os
import re
import signal
from contextlib import suppress

from offbranch.base.paths import AbsPath


def holders_of(path: AbsPath) -> tuple[int, ...]:
    """Returns the processes of this machine that keep a lock, those that have inherited it among them.

    Read from /proc (proc(5), `fdinfo`): nothing where there is none. Processes of other users are not seen.
    """
    try:
        wanted = os.stat(path)
        names = os.listdir("/proc")
    except OSError:
        return ()
    return tuple(int(name) for name in names if name.isdigit() and _keeps_lock(name, wanted))


def end_holders(path: AbsPath) -> None:
    """Kills the processes that have inherited a lock, but not this one; only where `holders_of` finds them."""
    for holder in holders_of(path):
        if holder != os.getpid():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(holder, signal.SIGKILL)


def _keeps_lock(pid: str, wanted: os.stat_result) -> bool:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    for descriptor in descriptors:
        try:
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), wanted):
                with open(f"/proc/{pid}/fdinfo/{descriptor}", "rb") as file:
                    if re.search(rb"^lock:.*FLOCK.*WRITE", file.read(), re.MULTILINE):
                        return True
        except OSError:
            continue
    return False
