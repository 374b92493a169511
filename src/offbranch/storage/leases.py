"""Read leases of Linux: whoever opens a file for writing is held by the kernel until we let go of it.

Source: fcntl(2), F_SETLEASE. The kernel waits `/proc/sys/fs/lease-break-time` (45 s) at most, then goes on without us.
"""

import errno
import os
import signal
import sys
from enum import Enum
from typing import Any, Final

from offbranch.base.plugins import load

# Once: looked up for each of a thousand files it takes 4 ms of the time for which a training loop waits.
_FCNTL: Final[Any] = load("fcntl") if sys.platform.startswith("linux") else None


class Lease(Enum):
    """What has come of the wish for one."""

    GIVEN = "given"
    REFUSED = "refused"
    """Somebody has the file open for writing, or in memory that is written to: it may change without a new time stamp."""
    UNKNOWN = "unknown"
    """There is none here: another system or file system, or the file of another user."""


def take_lease(descriptor: int) -> Lease:
    """Asks for a read lease on a file that is open for reading only."""
    if _FCNTL is None:
        return Lease.UNKNOWN
    try:
        # Who breaks a lease sends SIGIO, which would end us; SIGURG is ignored unless somebody wants it.
        _FCNTL.fcntl(descriptor, _FCNTL.F_SETSIG, signal.SIGURG)
        _FCNTL.fcntl(descriptor, _FCNTL.F_SETLEASE, _FCNTL.F_RDLCK)
    except OSError as error:
        return Lease.REFUSED if error.errno == errno.EAGAIN else Lease.UNKNOWN
    return Lease.GIVEN


def drop(descriptor: int) -> None:
    """Closes a file; a lease on it goes with that, and who was held goes on."""
    os.close(descriptor)
