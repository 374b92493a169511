"""Which file system a directory is on and how much room it has."""

import os
import sys

from offbranch.base.paths import AbsPath
from offbranch.base.records import record

_MOUNTS = "/proc/self/mountinfo"
# What several machines may mount at once, over a network.
NETWORK_KINDS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "lustre", "beegfs", "ceph", "gpfs")
)


@record
class FileSystem:
    """Attributes:
    kind: As the system names it, e.g. `ext4`; None where that cannot be told.
    mount_point: Where it is mounted; None likewise.
    free_bytes: What the user may still write; None likewise.
    """

    kind: str | None
    mount_point: str | None
    free_bytes: int | None

    @property
    def is_network(self) -> bool:
        """Whether other machines may write to it too."""
        return self.kind in NETWORK_KINDS


def file_system_of(path: AbsPath) -> FileSystem:
    """Returns the file system that a path is on, or would be: the nearest directory that exists counts."""
    there = nearest_existing(path)
    kind, mount_point = _mount_of(os.path.realpath(there))
    free_bytes = None
    if hasattr(os, "statvfs"):
        try:
            status = os.statvfs(there)
            free_bytes = status.f_bavail * status.f_frsize
        except OSError:
            pass
    return FileSystem(kind=kind, mount_point=mount_point, free_bytes=free_bytes)


def nearest_existing(path: AbsPath) -> AbsPath:
    """Returns a directory itself if it exists, else the nearest one above it that does."""
    while not os.path.isdir(path):
        above = AbsPath(os.path.dirname(path))
        if above == path:
            break
        path = above
    return path


def _mount_of(path: str) -> tuple[str | None, str | None]:
    """Source: proc_pid_mountinfo(5): the mount point is the fifth field, the kind the first after ` - `."""
    if not sys.platform.startswith("linux"):
        return None, None
    best: tuple[str | None, str | None] = (None, None)
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                point = before.split(" ")[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best[1] or ""):
                    best = (after.split(" ")[0], point)
    except (OSError, IndexError):
        pass
    return best
