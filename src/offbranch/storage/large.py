"""Large files, several at a time: hashing and copying them keeps a processor busy and lets go of the interpreter.

Small files are done one by one: threads cost more than they give there (2.4 times as long for 20,000 of 1 KiB).
"""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from offbranch.base.errors import OffbranchError
from offbranch.base.plugins import load

T = TypeVar("T")
# Measured: two threads on two processors take 0.6 of the time of one; a disk rarely feeds more than a few.
_MAX_THREADS = 4


def map_large(action: Callable[[str], T], paths: Sequence[str], *, tick: Callable[[], object] | None = None) -> list[T]:
    """Returns what an action returns for each of some large files, in their order.

    Args:
        action: Called from several threads when there are several files and processors.
        paths: The files.
        tick: Called a few times a second meanwhile, in the caller's thread.

    Raises:
        OffbranchError: Of the first file, in their order, for which the action failed; the others have been done.
    """
    jobs = min(len(paths), os.cpu_count() or 1, _MAX_THREADS)
    if jobs < 2:
        return [action(path) for path in paths]
    parallel = load("offbranch.storage.parallel")
    found: dict[str, T] = {}
    failed: dict[str, OffbranchError] = {}
    for path, answer in parallel.run_parallel(action, paths, jobs=jobs, stop=parallel.Stop(), tick=tick):
        if isinstance(answer, OffbranchError):
            failed[path] = answer
        else:
            found[path] = answer
    if failed:
        raise next(failed[path] for path in paths if path in failed)
    return [found[path] for path in paths]
