"""The queue as a worker keeps it in mind: what commits say is read once, afterwards only the refs are looked at.

So a thousand tasks are drained by a thousand short looks, and a worker that has nothing to do asks the file system whether
anything has changed, and Git only then.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping

from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.experiments.attempts import attempt_of
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.leases import is_carried_out
from offbranch.experiments.refs import ATTEMPTS, LEASES, SENDING, SENT, TASKS
from offbranch.git.ids import CommitId, ObjectName
from offbranch.git.objects import ObjectReader
from offbranch.git.records import parse_commit
from offbranch.git.refs import list_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.store import Unreadable, parse_task, queue_order, shared_ids, with_lease
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
        self._tasks: dict[tuple[str, ObjectName], StoredTask | Unreadable] = {}
        self._attempts: dict[ObjectName, Attempt | None] = {}
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
        refs = list_refs(self._repo, ATTEMPTS, LEASES, SENDING, SENT, TASKS)
        self._read(refs)
        self._place(refs)
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

    def _read(self, refs: Iterable[tuple[str, ObjectName]]) -> None:
        """Reads what commits say that were not there before, and forgets those that have gone."""
        tasks = [each for each in refs if each[0].startswith(TASKS)]
        attempts = [commit for ref, commit in refs if ref.startswith(ATTEMPTS)]
        new_tasks = [each for each in tasks if each not in self._tasks]
        new_attempts = [commit for commit in attempts if commit not in self._attempts]
        if new_tasks or new_attempts:
            with ObjectReader(self._repo) as objects:
                contents = objects.read_many((*(commit for _, commit in new_tasks), *new_attempts))
            self._tasks.update((each, parse_task(*each, contents.get(each[1]))) for each in new_tasks)
            self._attempts.update((commit, _attempt(commit, contents.get(commit))) for commit in new_attempts)
        self._tasks = {each: self._tasks[each] for each in tasks}
        self._attempts = {commit: self._attempts[commit] for commit in attempts}

    def _place(self, refs: Iterable[tuple[str, ObjectName]]) -> None:
        leases = {ref.removeprefix(LEASES): CommitId(name) for ref, name in refs if ref.startswith(LEASES)}
        shared = shared_ids(ref for ref, _ in refs)
        attempts = self._by_task()
        self.waiting, self.leased, self.unreadable = [], [], []
        there = {ref.removeprefix(TASKS) for ref, _ in refs if ref.startswith(TASKS)}
        gone = {task_id: lease for task_id, lease in leases.items() if task_id not in there}
        self.stale = {
            task_id: lease
            for task_id, lease in gone.items()
            if not any(each.commit == lease and is_carried_out(self._root, each) for each in attempts.get(task_id, ()))
        }
        for ref, commit in refs:
            if not ref.startswith(TASKS):
                continue
            task = self._tasks[ref, commit]
            if isinstance(task, Unreadable):
                self.unreadable.append(task)
            elif task.task.id not in shared if self._only is None else task.task.id in self._only:
                task = replace(task, is_shared=task.task.id in shared)
                self._sort_in(with_lease(self._root, task, leases.get(task.task.id), attempts.get(task.task.id, ())))
        self.waiting.sort(key=queue_order)

    def _sort_in(self, task: StoredTask) -> None:
        if not task.is_waiting:
            self.leased.append(task)
        elif not task.task.is_held:
            self.waiting.append(task)

    def _by_task(self) -> Mapping[str, list[Attempt]]:
        found: dict[str, list[Attempt]] = {}
        for commit, attempt in self._attempts.items():
            if attempt is not None and attempt.task_id is not None:
                found.setdefault(attempt.task_id, []).append(replace(attempt, commit=CommitId(commit)))
        for attempts in found.values():
            attempts.sort(key=lambda attempt: (-attempt.started_utc, attempt.id))
        return found


def _goes_on(root: AbsPath, task: StoredTask) -> bool:
    return any(each.commit == task.lease and is_carried_out(root, each) for each in task.attempts)


def _attempt(commit: ObjectName, found: tuple[str, bytes] | None) -> Attempt | None:
    if found is None or found[0] != "commit":
        return None
    try:
        return attempt_of(parse_commit(CommitId(commit), found[1]).message)
    except ValueError:
        return None


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
