"""The queue as a worker keeps it in mind: what commits say is read once, afterwards only the refs are looked at.

So a thousand tasks are drained by a thousand short looks, and a worker that has nothing to do asks the file system whether
anything has changed, and Git only then.
"""

import os
import time
from collections.abc import Callable, Iterable

from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.experiments.leases import is_carried_out
from offbranch.experiments.refs import TASKS
from offbranch.git.ids import CommitId
from offbranch.git.repository import GitRepo
from offbranch.queue.history import History, WaitingTask, by_task, read_history
from offbranch.queue.memory import Memory
from offbranch.queue.store import Unreadable, parse_task, queue_order, tasks_of
from offbranch.queue.task import StoredTask

# A change that the file system has not told of: a holder that died, a clock that stood still.
LOOK_ANYWAY_S = 60.0
_LEASED_S = 1.0
_MOST_OFTEN_S = 0.1
# Looks take at most this part of the time, however many refs there are.
_SHARE = 5
_SAME_TICK_NS = 100_000_000


@record
class _Seen:
    """When the board was last looked at, what the file system said then, and when to look again at the latest."""

    at_s: float
    stamp: tuple[int, ...] | None
    took_s: float


class Board:
    """What waits, as far as it is known."""

    def __init__(
        self,
        repo: GitRepo,
        root: AbsPath,
        only: frozenset[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repo = repo
        self._root = root
        self._only = only
        self._clock = clock
        self._memory = Memory(repo, root)
        self._tasks: dict[tuple[str, CommitId], StoredTask | Unreadable] = {}
        self._seen: _Seen | None = None
        self.waiting: list[StoredTask] = []
        self.leased: list[StoredTask] = []
        self.unreadable: list[Unreadable] = []
        # Of tasks that are not there any more.
        self.stale: dict[str, CommitId] = {}

    def forget(self) -> None:
        """Makes the next `look` a real one."""
        self._seen = None

    def look(self) -> bool:
        """Brings the board up to date, if there is reason to; returns whether anything was looked at."""
        if not self._is_due():
            return False
        began, stamp = self._clock(), self._stamp()
        self._place(read_history(self._repo, self._root, memory=self._memory, with_made=False))
        self._seen = _Seen(at_s=began, stamp=stamp, took_s=self._clock() - began)
        return True

    def _is_due(self) -> bool:
        seen = self._seen
        if seen is None:
            return True
        ago = self._clock() - seen.at_s
        if ago < max(_MOST_OFTEN_S, _SHARE * seen.took_s) and self.waiting:
            return False
        if ago > LOOK_ANYWAY_S or seen.stamp is None or seen.stamp != self._stamp():
            return True
        return ago > _LEASED_S and any(not _goes_on(self._root, each) for each in self.leased)

    def _stamp(self) -> tuple[int, ...] | None:
        """Returns what changes with the refs of tasks; None if a change might not show, for the last was a moment ago."""
        base = self._repo.common_dir
        if self._repo.plain_refs:
            paths: Iterable[str] = (os.path.join(base, TASKS.rstrip("/")), os.path.join(base, "packed-refs"))
        else:
            paths = (os.path.join(base, "reftable", "tables.list"),)
        stamps = tuple(_changed_ns(path) for path in paths)
        now = time.time_ns()
        # One in the future is of a clock that has been set back: the next change will show.
        return None if any(abs(now - stamp) < _SAME_TICK_NS for stamp in stamps) else stamps

    def _place(self, history: History) -> None:
        there = {(each.id, each.commit): self._tasks.get((each.id, each.commit)) for each in history.waiting}
        self._tasks = {key: task for key, task in there.items() if task is not None}
        tasks = tasks_of(self._root, history, self._parse)
        self.waiting, self.leased, self.unreadable = [], [], list(tasks.unreadable)
        for task in tasks.all:
            if not task.is_shared if self._only is None else task.task.id in self._only:
                self._sort_in(task)
        self.waiting.sort(key=queue_order)
        self.stale = self._stale(history)

    def _parse(self, waiting: WaitingTask) -> StoredTask | Unreadable:
        """Makes a record of what a commit says, each once."""
        key = waiting.id, waiting.commit
        if key not in self._tasks:
            self._tasks[key] = parse_task(waiting)
        return self._tasks[key]

    def _stale(self, history: History) -> dict[str, CommitId]:
        attempts, there = by_task(history.attempts), {each.id for each in history.waiting}
        return {
            task_id: lease
            for task_id, lease in history.leases.items()
            if task_id not in there
            and not any(each.commit == lease and is_carried_out(self._root, each) for each in attempts.get(task_id, ()))
        }

    def _sort_in(self, task: StoredTask) -> None:
        if task.is_away:
            return
        if not task.is_waiting:
            self.leased.append(task)
        elif not task.task.is_held:
            self.waiting.append(task)


def _goes_on(root: AbsPath, task: StoredTask) -> bool:
    return any(each.commit == task.lease and is_carried_out(root, each) for each in task.attempts)


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
