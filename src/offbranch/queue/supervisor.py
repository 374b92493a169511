"""The worker: one process that takes tasks from the queue, one child for each, and sees to it that each ends.

It never carries out anything itself, so nothing that a task does can harm it; and it needs nothing but the refs and files that
everybody sees: killed at any moment, the next one goes on.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.events import Warned
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.base.undisturbed import stopping_signals
from offbranch.experiments.leases import BEAT_S, beat, end_orphans, is_orphaned
from offbranch.queue.board import Board
from offbranch.queue.child import ChildManner, Say, fork_child
from offbranch.queue.events import TaskBegan, TaskLost, TaskOver
from offbranch.queue.requests import RequestKind, forget_request
from offbranch.queue.running_task import RunningTask
from offbranch.queue.settle import drop_lease, not_run
from offbranch.queue.shift import Around, Shift
from offbranch.queue.slots.pool import Slot, SlotPool
from offbranch.queue.task import StoredTask
from offbranch.queue.task_end import TaskEnd, end_from_words
from offbranch.queue.trouble import Trouble
from offbranch.queue.workers import SlotUse, Worker, stop_wish, with_slot, write_worker

LOOK_S = 0.2
# Nobody notices a fifth of a second, and an idle worker needs a thousandth of a processor at most.
_IDLE_LOOK_S = 0.3
_LONGEST_PAUSE_S = 30.0
_MOST_REFUSALS = 5


class Supervisor:
    """The loop of a worker; `work` is all there is to call."""

    def __init__(
        self,
        around: Around,
        worker: Worker,
        shift: Shift,
        pool: SlotPool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repo = around.repo
        self._root = around.root
        self._worker = worker
        self._shift = shift
        self._pool = pool
        self._carry_out = around.carry_out
        self._left = around.left
        self._fate = around.fate
        self._reporter = around.reporter
        self._clock = clock
        self._board = Board(self._repo, self._root, shift.only)
        self._trouble = Trouble(around.reporter, clock)
        self._running: dict[str, RunningTask] = {}
        self._not_before: dict[str, float] = {}
        self._refusals: dict[str, int] = {}
        self._told: set[str] = set()
        self._signal: int | None = None
        self._stops = False
        self._busy_s = clock()
        self._beat_s = clock()

    def work(self) -> Iterator[TaskEnd]:
        """Runs tasks until there is no reason to go on.

        Yields:
            How each run ended, as it ends.

        Raises:
            Interrupted: SIGINT or SIGTERM came; what ran waits in the queue again.
        """
        with ExitStack() as stack:
            self._take_signals(stack)
            stack.callback(self._abandon)
            while True:
                self._obey()
                has_room = len(self._running) < len(self._pool.all)
                if has_room and not self._stops and not self._trouble.is_to_be_waited_for:
                    with self._trouble.borne():
                        self._begin_what_fits()
                if self._is_over():
                    break
                yield from self._wait()
        if self._shift.idle_s == 0 and not self._stops:
            yield from self._left_over()
        if self._signal is not None:
            raise Interrupted(f"stopped by {signal.Signals(self._signal).name}")

    def _take_signals(self, stack: ExitStack) -> None:
        for number in stopping_signals():
            with suppress(ValueError):  # not the main thread: signals are somebody else's matter
                stack.callback(signal.signal, number, signal.signal(number, self._on_signal))

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signal = self._signal or number

    # What is to be done

    def _begin_what_fits(self) -> None:
        if self._board.look():
            self._tell_unreadable()
            self._clear_up()
        now = self._clock()
        may_start = [
            stored
            for stored in self._board.waiting
            if stored.task.id not in self._running
            and stored.task.id not in self._told
            and self._not_before.get(stored.task.id, 0.0) <= now
        ]
        while (start := self._pool.choose(may_start)) is not None:
            may_start.remove(start.stored)
            self._board.waiting.remove(start.stored)
            self._begin(start.stored, start.slot)
        self._tell_unfit(may_start)

    def _begin(self, stored: StoredTask, slot: Slot) -> None:
        limit = self._pool.limits(stored, slot)

        def work(say: Say) -> None:
            limit()
            self._carry_out(stored, slot, say)

        manner = ChildManner(apart=self._shift.apart, mark=stored.name if self._shift.marks else None)
        try:
            child = fork_child(work, manner, [each.child for each in self._running.values()])
        except OSError:
            self._pool.release(slot)
            self._board.forget()
            raise
        self._running[stored.task.id] = running = RunningTask(stored, slot, child)
        self._show(slot, running)

    def _tell_unreadable(self) -> None:
        for each in self._board.unreadable:
            if each.ref not in self._told:
                self._told.add(each.ref)
                self._reporter.emit(Warned(text=f"'{each.ref}' is left in the queue: {each.reason}"))

    def _tell_unfit(self, waiting: Sequence[StoredTask]) -> None:
        """Says once of each task that can never run here why it stays, and lets who looks know."""
        if self._pool.unfit == self._worker.unfit:
            return
        for stored in waiting:
            reason = self._pool.unfit.get(stored.task.id)
            if reason is not None and self._worker.unfit.get(stored.task.id) != reason:
                self._reporter.emit(Warned(text=f"'{stored.name}' stays in the queue: it {reason}"))
        self._worker = replace(self._worker, unfit=dict(self._pool.unfit))
        write_worker(self._root, self._worker)

    def _clear_up(self) -> None:
        """Ends commands whose `ob` was killed together with its worker, and leases of tasks that are done."""
        for task_id, lease in self._board.stale.items():
            drop_lease(self._repo, task_id, lease)
        for stored in self._board.leased:
            for each in stored.attempts:
                if each.commit == stored.lease and is_orphaned(self._root, each):
                    end_orphans(self._root, stored.task.id, each.process.pid)
                    self._board.forget()

    def _obey(self) -> None:
        """Does what signals, the wish to stop, wishes about tasks and their limits of time say."""
        wish = stop_wish(self._root, self._worker.id)
        if (wish is not None or self._signal is not None) and not self._stops:
            self._stops = True
            self._worker = replace(self._worker, stopping=True)
            write_worker(self._root, self._worker)
        now = self._clock()
        for running in tuple(self._running.values()):
            if wish is not None and wish.kill:
                running.ask(self._root, RequestKind.KILL)
            timeout = running.stored.task.timeout_s
            if timeout is not None and running.attempt_id is not None and now - running.began_s > timeout:
                running.ask(self._root, RequestKind.TIMEOUT)
            running.enforce(self._root, now, self._signal, self._shift.grace_s)
        if now - self._beat_s > BEAT_S:
            self._beat_s = now
            for task_id in self._running:
                beat(self._root, task_id)

    # What has happened

    def _wait(self) -> Iterator[TaskEnd]:
        by_end = {end: each for each in self._running.values() for end in each.child.ends}
        ready = select.select(list(by_end), (), (), LOOK_S if by_end else _IDLE_LOOK_S)[0]
        for end in (each for each in ready if each != by_end[each].child.words):
            by_end[end].child.show(end)
        for running in [by_end[end] for end in ready if end == by_end[end].child.words]:
            said = running.child.hear()
            if said is not None:
                for each in said:
                    self._heard(running, each)
            elif (over := self._over(running)) is not None:
                yield over

    def _heard(self, running: RunningTask, said: dict[str, Any]) -> None:
        if "attempt_id" in said and "state" not in said:
            running.attempt_id = said["attempt_id"]
            running.began_s = self._clock()
            self._show(running.slot, running)
            log = said["log"]
            self._reporter.emit(TaskBegan(name=running.stored.name, slot=running.slot.label, log=log))
        elif "loaded" in said:
            for name in said["loaded"]:  # what one task needed the next ones need, too
                load(name)
        elif "state" in said:
            running.end = end_from_words(said)
        elif not said.get("is_stopped"):
            running.refusal = said["error"]

    def _over(self, running: RunningTask) -> TaskEnd | None:
        """Clears up after a child that has ended; returns how the task did."""
        task_id = running.stored.task.id
        running.child.bury()
        del self._running[task_id]
        self._busy_s = self._clock()
        end = running.end
        try:
            if end is None and running.attempt_id is None:
                end = self._refused(running)
            elif end is None:
                end = running.end_for_it(self._repo, self._root, self._left, self._fate)
                if end is not None and end.experiment is None:
                    self._reporter.emit(event := running.event_of(end))
                    end = None if isinstance(event, TaskLost) else end
            elif end.experiment is None:
                running.make_sure(self._repo, self._root, self._left, end)
        except (OffbranchError, OSError) as error:  # a full disk: it is tried again, by us or the next worker
            running.refusal, end = str(error), self._refused(running)
        forget_request(self._root, task_id)
        self._pool.release(running.slot)
        self._show(running.slot)
        self._board.forget()
        if end is not None:
            self._refusals.pop(task_id, None)
            self._reporter.emit(TaskOver(end=end))
        return end

    def _refused(self, running: RunningTask) -> TaskEnd | None:
        """Waits longer each time before it tries again what could not even begin; most often somebody else has the task."""
        task_id = running.stored.task.id
        n = self._refusals[task_id] = self._refusals.get(task_id, 0) + 1
        self._not_before[task_id] = self._clock() + min(LOOK_S * 2**n, _LONGEST_PAUSE_S)
        if running.refusal is None:
            return None
        self._reporter.emit(Warned(text=f"'{running.stored.name}' could not be started: {running.refusal}"))
        if self._shift.idle_s == 0 and n >= _MOST_REFUSALS:
            self._told.add(task_id)
            return not_run(running.stored, running.refusal)
        return None

    def _is_over(self) -> bool:
        if self._running or self._stops:
            return not self._running
        if self._trouble.is_there:
            return False
        now = self._clock()
        if any(self._could_run(stored) for stored in self._board.waiting):
            self._busy_s = now
            return False
        return self._shift.idle_s is not None and now - self._busy_s >= self._shift.idle_s

    def _could_run(self, stored: StoredTask) -> bool:
        """Tells whether it is worth while to wait for a task."""
        return stored.task.id not in self._told and self._pool.fits_ever(stored) is None

    def _left_over(self) -> Iterator[TaskEnd]:
        """Yields tasks that were to be run now and cannot be run here, as ends that leave them queued."""
        for stored in self._board.waiting:
            if (reason := self._pool.fits_ever(stored)) is not None:
                yield not_run(stored, reason)

    def _abandon(self) -> None:
        """Ends what still runs when we are left in the middle, by an error or because nobody asks for more."""
        for running in tuple(self._running.values()):
            running.child.signal(signal.SIGINT)
            os.close(running.child.life)
        self._running.clear()

    def _show(self, slot: Slot, running: RunningTask | None = None) -> None:
        """Says what a slot does now."""
        free = SlotUse(number=slot.number, label=str(slot.number), gpus=slot.gpus)
        use = free if running is None else running.use_of(free)
        self._worker = with_slot(self._worker, use)
        write_worker(self._root, self._worker)
