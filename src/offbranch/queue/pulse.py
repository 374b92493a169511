"""Whether the queue may have changed, told by looking at files alone: for whoever watches it and must cost next to nothing.

Refs change by a file that is made beside them, workers and attempts write their records in one step: each of these changes the
time of a directory or file. What leaves no trace, such as a process that is killed, is asked for beside that.
"""

import os
import time
from collections.abc import Callable, Iterable

from offbranch.base.locks import is_locked
from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import host_name, is_alive
from offbranch.base.records import record
from offbranch.experiments.attempts import attempt_dir
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.leases import is_carried_out
from offbranch.experiments.refs import ATTEMPTS, AWAY, LEASES, TASKS
from offbranch.git.repository import GitRepo
from offbranch.queue.status import QueueStatus, TaskStatus
from offbranch.queue.workers import WORKERS_DIR

# Often enough for metrics within a second; a look takes 0.1 ms.
TICK_S = 0.2
# Where DVC's queue is, as far as DVC has one.
_PEER_DIRS = tuple(f".dvc/tmp/exps/celery/{name}" for name in ("broker/in", "broker/processed", "result"))
# What is on other machines, and experiments that are renamed or removed, leave no trace that is looked for.
FULL_LOOK_S = 30.0
# A second change within one tick of the file system's clock would leave the same time.
_SAME_TIME_NS = 20_000_000


@record
class Seen:
    """What was seen of the queue, for asking whether it has changed since.

    Attributes:
        status: The queue.
        files: Further files that say something about it.
        began_ns: When it was begun to be read.
        stamps: Of all files together, once it had been read.
        runs: Attempts at no task that were running.
    """

    status: QueueStatus
    files: tuple[str, ...]
    began_ns: int
    stamps: tuple[object, ...]
    runs: tuple[Attempt, ...] = ()

    @property
    def is_unsure(self) -> bool:
        """Whether a file was changed while it was read, or so shortly before that another change could look the same."""
        limit_ns = self.began_ns - _SAME_TIME_NS
        return any(isinstance(stamp, tuple) and stamp[0] > limit_ns for stamp in self.stamps)


def remember(
    repo: GitRepo,
    root: AbsPath,
    status: QueueStatus,
    files: Iterable[str],
    *,
    began_ns: int,
    runs: Iterable[Attempt] = (),
) -> Seen:
    """Returns what was seen, at the end of reading it."""
    files = tuple(files)
    return Seen(status=status, files=files, began_ns=began_ns, stamps=_stamps(repo, root, files), runs=tuple(runs))


def has_changed(repo: GitRepo, root: AbsPath, seen: Seen) -> bool:
    """Tells whether the queue may look different now; no process is started and Git is not asked."""
    if seen.is_unsure or _stamps(repo, root, seen.files) != seen.stamps:
        return True
    if any(each.process.host == host_name() and not is_alive(each.process) for each in seen.runs):
        return True
    running = (task for task in seen.status.tasks if task.standing is not None)
    return any(_goes_another_way(root, task) for task in running) or not all(
        is_locked(join(root, f"{WORKERS_DIR}/{worker.id}.lock")) for worker in seen.status.workers
    )


def record_of(root: AbsPath, attempt: Attempt) -> str:
    """Returns the file that changes when an attempt gets another directory, or ends."""
    return os.path.join(attempt_dir(root, attempt.id), "attempt.json")


def wait_for_change(
    repo: GitRepo,
    root: AbsPath,
    seen: Seen,
    *,
    until: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Returns when the queue may have changed, when it is time for a full look, or when `until` has come by the clock."""
    end = clock() + FULL_LOOK_S
    if until is not None:
        end = min(end, until)
    while (left := end - clock()) > 0:
        sleep(min(TICK_S, left))
        if has_changed(repo, root, seen):
            return


def _stamps(repo: GitRepo, root: AbsPath, files: Iterable[str]) -> tuple[object, ...]:
    common = repo.common_dir
    # With its last ref Git removes a directory: that shows in the one above.
    refs = ("refs", os.path.dirname(TASKS.rstrip("/")), TASKS, LEASES, ATTEMPTS, AWAY) if repo.plain_refs else ()
    table = ("packed-refs",) if repo.plain_refs else ("reftable", "tables.list")
    places = (*(os.path.join(common, *ref.split("/")) for ref in refs), os.path.join(common, *table))
    own = (WORKERS_DIR, *_PEER_DIRS)
    return tuple(_stamp(path) for path in (*places, *(join(root, path) for path in own), *files))


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _goes_another_way(root: AbsPath, task: TaskStatus) -> bool:
    attempt = task.last
    if attempt is None or task.standing is None or attempt.process.host != host_name():
        return False
    return is_alive(attempt.process) is task.standing.is_orphan or not is_carried_out(root, attempt)
