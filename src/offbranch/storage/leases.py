"""Read leases of Linux: whoever opens a file for writing is held by the kernel until we let go of it.

Source: fcntl(2), F_SETLEASE. The kernel waits `/proc/sys/fs/lease-break-time` (45 s) at most, then goes on without us.
"""

import os
import signal
import sys

from offbranch.base.plugins import load


def take_lease(descriptor: int) -> bool:
    """Takes a read lease on a file that is open for reading only; returns whether it was given.

    It is not where somebody has the file open for writing, where it belongs to another user, and on most network file systems.
    """
    if not sys.platform.startswith("linux"):
        return False
    fcntl = load("fcntl")
    try:
        # Who breaks a lease sends SIGIO, which would end us; SIGURG is ignored unless somebody wants it.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        return False
    return True


def drop(descriptor: int) -> None:
    """Closes a file; a lease on it goes with that, and who was held goes on."""
    os.close(descriptor)
