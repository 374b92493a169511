"""Corrupt objects out of the way: `<cache>/corrupt/<object id>-<n>` (docs/formats/cache.md).

What does not fit its name may be the only copy of a file that somebody edited through a link, so it is moved, never
destroyed; `gc` removes it a month later.
"""

import os
from collections.abc import Iterator

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath

DIRECTORY = "corrupt"
KEPT_DAYS = 30
_DAY_NS = 24 * 3600 * 1_000_000_000


def set_aside(root: AbsPath, path: AbsPath, name: str) -> AbsPath:
    """Moves a file of the cache at `root` out of the way in one step and returns where it is now.

    Raises:
        OffbranchError: It cannot be moved.
    """
    directory = os.path.join(root, DIRECTORY)
    try:
        os.makedirs(directory, exist_ok=True)
        number = 1
        while os.path.lexists(target := os.path.join(directory, f"{name}-{number}")):
            number += 1
        os.rename(path, target)
    except OSError as error:
        raise OffbranchError(
            f"cannot move '{path}' to '{directory}': {(error.strerror or str(error)).lower()}",
            hint="check the permissions of the cache",
        ) from error
    return AbsPath(target)


def iter_set_aside(root: AbsPath) -> Iterator[tuple[AbsPath, int]]:
    """Yields what was set aside, with the time in ns at which that happened."""
    try:
        entries = sorted(os.scandir(os.path.join(root, DIRECTORY)), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        status = entry.stat(follow_symlinks=False)
        yield AbsPath(entry.path), max(status.st_mtime_ns, status.st_ctime_ns)


def old_set_aside(root: AbsPath, *, now_ns: int) -> tuple[AbsPath, ...]:
    """Returns what was set aside more than a month ago."""
    return tuple(path for path, since_ns in iter_set_aside(root) if since_ns < now_ns - KEPT_DAYS * _DAY_NS)
