"""Temporary files that a killed process left in a project: found by its process id in their names, and removed.

Loaded only after a kill, so it may walk the whole project. The cache is not looked at: other projects may share it, and
what lies there under a temporary name is never read.
"""

import os

from offbranch.base.files import TEMPORARY_PREFIX, remove_file
from offbranch.base.paths import AbsPath, join

_NOT_OURS = (".git", ".dvc/cache")


def sweep_litter(root: AbsPath, pid: int, *, below: bool = True) -> int:
    """Removes the temporary files of a process that is gone; returns their number.

    Args:
        root: Of the project. Links are not followed.
        below: Look into directories below it as well.
        pid: The process; nobody else who uses this id may be writing to the project.
    """
    skipped = frozenset(join(root, path) for path in _NOT_OURS)
    n_removed = 0
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if below and os.path.join(directory, name) not in skipped]
        for name in files:
            if name.startswith(TEMPORARY_PREFIX) and _is_of(pid, name):
                remove_file(AbsPath(os.path.join(directory, name)))
                n_removed += 1
    return n_removed


def _is_of(pid: int, name: str) -> bool:
    """Tells whether `atomic_write` (id last) or the writers of the cache (id first) of that process chose a name."""
    return name.endswith(f"-{pid}") or name.startswith(f"{TEMPORARY_PREFIX}{pid}-")
