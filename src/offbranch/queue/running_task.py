"""A task in the hands of a child: ending it, and recording its end where the child cannot do that any more."""

import signal
import time
from collections.abc import Callable

from offbranch.base.errors import Interrupted
from offbranch.base.events import Event
from offbranch.base.paths import AbsPath
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.leases import end_orphans, sweep_lease
from offbranch.experiments.underway import Fate
from offbranch.git.ids import TreeId
from offbranch.git.repository import GitRepo
from offbranch.queue.child import Child
from offbranch.queue.events import TaskCancelled, TaskFailed, TaskLost, TaskPutBack
from offbranch.queue.requests import Request, RequestKind, read_request, write_request
from offbranch.queue.settle import end_of, fate_by_request, published, settle
from offbranch.queue.slots.pool import Slot
from offbranch.queue.task import StoredTask, TaskState
from offbranch.queue.task_end import TaskEnd
from offbranch.queue.workers import SlotUse

Left = Callable[[Attempt], TreeId | None]
_LOST = Fate(state=AttemptState.INTERRUPTED, cause="the process that ran it was killed", keeps_task=True)


class RunningTask:
    """What a worker keeps in mind of a task that runs.

    Attributes:
        attempt_id: Its attempt; None until the child has taken the task.
        began_s: When that was, monotonic.
        end: How it ended, once the child has said so.
        refusal: Why it could not be begun.
        asked: The wish that it end.
        signalled: By which signal it has been told to end, together with its worker.
    """

    def __init__(self, stored: StoredTask, slot: Slot, child: Child) -> None:
        self.stored = stored
        self.slot = slot
        self.child = child
        self.attempt_id: str | None = None
        self.began_s = 0.0
        self.end: TaskEnd | None = None
        self.refusal: str | None = None
        self.asked: Request | None = None
        self.signalled: int | None = None
        self._is_stopped = False
        self._kill_at_s: float | None = None

    def use_of(self, free: SlotUse) -> SlotUse:
        """Returns what its slot says while it runs."""
        return replace(
            free,
            label=self.slot.label,
            task_id=self.stored.task.id,
            attempt_id=self.attempt_id,
            name=self.stored.name,
            pid=self.child.pid,
        )

    def ask(self, root: AbsPath, kind: RequestKind) -> None:
        """Writes a wish of the worker's own, for the child to find when it records why it ended."""
        if self.attempt_id is None or self.asked is not None:
            return
        self.asked = Request(kind=kind, attempt_id=self.attempt_id, by=this_process(), at_utc=time.time())
        try:
            write_request(root, self.stored.task.id, self.asked)
        except OSError:  # a full disk: the worker keeps it in mind, and records the end itself
            self._is_stopped = True
            self._kill(root)

    def enforce(self, root: AbsPath, now_s: float, signalled: int | None, grace_s: float) -> None:
        """Stops the child if it shall end: a signal first, then, after a while, by force.

        Args:
            root: Of the project.
            now_s: The time, monotonic.
            signalled: The signal that the worker has got itself.
            grace_s: How long the child may take.
        """
        if self.attempt_id is not None:
            self.asked = read_request(root, self.stored.task.id, self.attempt_id) or self.asked
        if (self.asked is not None or signalled is not None) and not self._is_stopped:
            self._is_stopped = True
            self._kill_at_s = now_s + grace_s
            self.signalled = signalled
            self.child.signal(signal.SIGINT if signalled is None else signalled)
        is_late = self._kill_at_s is not None and now_s > self._kill_at_s
        if is_late or (self.asked is not None and self.asked.force):
            self._kill(root)

    def end_for_it(
        self, repo: GitRepo, root: AbsPath, left: Left, of_stop: Callable[[BaseException], Fate | None]
    ) -> TaskEnd | None:
        """Records the end of a child that was killed: as it was wished, as stopped with its worker, or as lost.

        The latter two leave the task waiting, unless who stopped the worker means something else by it.

        Args:
            repo: Where.
            root: Of the project.
            left: Tells what files it has left.
            of_stop: Tells what the stop of the worker means; None for the usual.

        Returns:
            None where there is nothing to record.
        """
        fate = self._fate(of_stop)
        end_orphans(root, self.stored.task.id, self.child.pid)
        end = settle(repo, root, self.stored, fate, left)
        if end is None and (made := published(repo, self.stored)) is not None:  # killed when everything was done
            done = Fate(state=AttemptState.SUCCEEDED)
            end = replace(end_of(self.stored, self.attempt_id or "", done), experiment=made)
        if end is not None and end.state is not TaskState.QUEUED:
            sweep_lease(root, self.stored.task.id)
        return end

    def _fate(self, of_stop: Callable[[BaseException], Fate | None]) -> Fate:
        if self.asked is not None:
            return fate_by_request(self.stored, self.asked)
        if self.signalled is None:
            return _LOST
        stopped_by = f"stopped by {signal.Signals(self.signalled).name}"
        usual = Fate(state=AttemptState.CANCELLED, cause=stopped_by, keeps_task=True)
        return of_stop(Interrupted(stopped_by)) or usual

    def event_of(self, end: TaskEnd) -> Event:
        """Returns what is told of an end that was recorded for the child, which cannot tell it itself any more."""
        if self.asked is None and self.signalled is None:
            return TaskLost(name=end.name)
        is_back = end.state is TaskState.QUEUED
        if end.outcome is AttemptState.CANCELLED:
            return TaskPutBack(name=end.name) if is_back else TaskCancelled(name=end.name, cause=end.cause)
        return TaskFailed(name=end.name, cause=end.cause, hint=None, is_repeated=is_back)

    def make_sure(self, repo: GitRepo, root: AbsPath, left: Left, end: TaskEnd) -> None:
        """Records how a run ended, if the child could not, as on a full disk."""
        fate = Fate(state=end.outcome, cause=end.cause, keeps_task=end.state is TaskState.QUEUED)
        settle(repo, root, self.stored, fate, left)

    def _kill(self, root: AbsPath) -> None:
        self.child.signal(signal.SIGKILL)
        end_orphans(root, self.stored.task.id, self.child.pid)
