"""What one element of an array job does: carry out its task, or one of the same array that nobody else has.

Told to stop, it asks why: SLURM sends the same signal when a job is preempted or its node is drained, where the task is to be
put back, when its time is over, where it has failed unless it has made a checkpoint to go on from, and when a user cancels
it. slurmstepd says which of these it is in the output of the job, before it sends the signal (SLURM 22.05, `_handle_notify_job`
and relatives; recorded in tests/slurm).
"""

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from offbranch.api.queue_manner import may_be_by_signal
from offbranch.api.queue_work import run_one
from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.base.undisturbed import is_held_back
from offbranch.experiments.experiment import AttemptState
from offbranch.experiments.underway import Fate
from offbranch.queue.settle import leased_attempt
from offbranch.queue.slots.offer import Offer
from offbranch.queue.slots.pool import SLOT_VARIABLE
from offbranch.queue.slurm.jobs import Slurm, requeue
from offbranch.queue.slurm.records import (
    ElementNote,
    Submission,
    beat_note,
    is_withdrawn,
    output_size,
    read_output,
    read_submission,
    write_note,
)
from offbranch.queue.slurm.view import BEAT_S
from offbranch.queue.store import read_tasks
from offbranch.queue.task_end import TaskEnd
from offbranch.queue.workers import WorkerKind

_SAID = re.compile(r"slurmstepd.*\*\*\* (?:JOB|STEP) \S+ ON \S+ CANCELLED AT \S+(?: DUE TO (.+?))? \*\*\*")
_TIME_LIMIT = "TIME LIMIT"
_WHY_S = 2.0
_MOMENT_S = 0.1
TIME_IS_OVER = "its time limit in SLURM passed"
BY_SCANCEL = "cancelled in SLURM"
# What a note says beside states of tasks.
STOPPED = "stopped"
NOTHING = "nothing"


def run_element(session: Session, submission_id: str) -> TaskEnd | None:
    """Carries out what an element of an array is for, in the job that this process is part of.

    Returns:
        How the task ended; None if there was nothing left to do.

    Raises:
        Interrupted: SLURM stopped it; the task waits in the queue again, if that was not because it is not wanted any more.
        OffbranchError: This is no job of that submission.
    """
    variables = session.environment.all
    job, index = variables.get("SLURM_ARRAY_JOB_ID"), variables.get("SLURM_ARRAY_TASK_ID", "")
    with opened(session) as project:
        root = project.root
    submission = read_submission(root, submission_id)
    if job is None or not index.isdigit():
        raise OffbranchError("this is no job of SLURM", hint="ob queue start --slurm")
    if submission is None or int(index) >= len(submission.tasks):
        raise OffbranchError(f"there is no record of what job {job}_{index} is for", hint="ob queue start --slurm")
    restarts = variables.get("SLURM_RESTART_COUNT", "0")
    element = _Element(session, root, submission, int(index), f"{job}_{index}")
    with _beating(lambda: beat_note(root, submission.id, int(index))):
        return element.run(int(restarts) if restarts.isdigit() else 0)


@contextmanager
def _beating(beat: Callable[[], None]) -> Iterator[None]:
    """Does something every few seconds, whatever this process does meanwhile; children do not inherit the timer."""
    before = signal.signal(signal.SIGALRM, lambda number, frame: beat())
    signal.setitimer(signal.ITIMER_REAL, BEAT_S, BEAT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _Element:
    def __init__(self, session: Session, root: AbsPath, submission: Submission, index: int, job: str) -> None:
        self._session = session
        self._root = root
        self._submission = submission
        self._index = index
        self._printed_before = output_size(root, submission.id, index)
        self._note = ElementNote(job=job, process=this_process(), started_utc=time.time())

    def run(self, restarts: int) -> TaskEnd | None:
        self._say(restarts=restarts)
        for task_id in self._candidates():
            self._say(task_id=task_id)
            try:
                end = run_one(
                    self._session,
                    task_id,
                    slot_env=self._slot_env(),
                    kind=WorkerKind.SLURM,
                    # SLURM has given the job what its task needs, or what the options of the user said instead.
                    offer=Offer(is_granted=True),
                    fate=self._fate,
                )
            except Interrupted:
                self._say(end=STOPPED, ended_utc=time.time())
                self._ask_for_more_time(task_id)
                raise
            if end is not None:
                self._say(end=end.state.value, ended_utc=time.time())
                return end
        self._say(task_id=None, end=NOTHING, ended_utc=time.time())
        return None

    def _slot_env(self) -> dict[str, str]:
        """Returns what commands find beside what SLURM has set, CUDA_VISIBLE_DEVICES among it."""
        variables = self._session.environment.all
        n_cpus = variables.get("SLURM_CPUS_PER_TASK")  # only set where processors were asked for
        threads = {"OMP_NUM_THREADS": n_cpus} if n_cpus and "OMP_NUM_THREADS" not in variables else {}
        return {SLOT_VARIABLE: self._note.job, **threads}

    def _candidates(self) -> tuple[str, ...]:
        """Returns what it may carry out: its own task, and then the others of the array, for it may come late."""
        if is_withdrawn(self._root, self._submission.id, self._index):
            return ()
        with opened(self._session) as project:
            tasks = read_tasks(need_git(project), project.root).queued
        free = {(stored.task.id, stored.task.round) for stored in tasks if not stored.task.is_held}
        own = self._submission.tasks[self._index]
        wanted = (own, *(each for each in self._submission.tasks if each is not own))
        return tuple(each.id for each in wanted if (each.id, each.round) in free)

    def _say(self, **changes: Any) -> None:
        self._note = replace(self._note, **changes)
        write_note(self._root, self._submission.id, self._index, self._note)

    def _fate(self, error: BaseException) -> Fate | None:
        if (fate := fate_of_error(error, self._note.job, self._printed, has_gained=self._has_gained)) is None:
            return None
        is_back = is_withdrawn(self._root, self._submission.id, self._index)
        return fate_of_stop("OFFBRANCH", self._note.job) if is_back else fate

    def _has_gained(self) -> bool:
        """Tells whether the run has made a checkpoint."""
        with opened(self._session) as project:
            attempt = leased_attempt(need_git(project), self._note.task_id or "")
        return attempt is not None and attempt.checkpoint != attempt.resumed

    def _ask_for_more_time(self, task_id: str) -> None:
        """Has SLURM start the job again whose time was too short for a task that waits to go on."""
        if reason_in(self._printed()) != _TIME_LIMIT:
            return
        with opened(self._session) as project:
            tasks = read_tasks(need_git(project), project.root).queued
            if not any(stored.task.id == task_id for stored in tasks):
                return
            try:
                requeue(Slurm(environment=project.environment.all, directory=project.root), self._note.job)
            except OffbranchError as error:
                text = f"job {self._note.job} is not started again: {error.message}"
                self._session.reporter.emit(Warned(text=text, hint="ob queue start --slurm"))

    def _printed(self) -> str:
        return read_output(self._root, self._submission.id, self._index, self._printed_before)


def fate_of_error(
    error: BaseException,
    job: str,
    printed: Callable[[], str],
    *,
    patience_s: float = _WHY_S,
    has_gained: Callable[[], bool] = lambda: False,
) -> Fate | None:
    """Returns what a stop by SLURM means for a task; None for the usual. To be called while signals are held back.

    The signal goes to all processes of the job, one after the other: a command, or a Git of ours, may have ended of it before
    we hear of it. Who was signalled too was stopped, whatever its command made of that and even if nobody says why; then it
    waits again, for squeue cannot tell either: whatever the reason, it says COMPLETING at this moment (SLURM 22.05).

    Args:
        has_gained: Tells whether the run has made a checkpoint, so that another one goes on from there.
    """
    is_worth_waiting = may_be_by_signal(error) or is_held_back()
    why = wait_for_reason(printed, patience_s=patience_s if is_worth_waiting else 0.0)
    if why == _TIME_LIMIT and has_gained():
        cause = f"{TIME_IS_OVER} (job {job}); it goes on from its newest checkpoint"
        return Fate(state=AttemptState.CANCELLED, cause=cause, keeps_task=True)
    if why is not None:
        return fate_of_stop(why, job)
    if isinstance(error, Interrupted) or not is_held_back():
        return None
    return Fate(state=AttemptState.CANCELLED, cause=f"stopped by SIGTERM (job {job})", keeps_task=True)


def fate_of_stop(why: str, job: str) -> Fate:
    """Returns what a reason of slurmstepd means; the empty one is that a user cancelled the job."""
    if why == _TIME_LIMIT:
        return Fate(state=AttemptState.FAILED, cause=f"{TIME_IS_OVER} (job {job})")
    if why == "":
        return Fate(state=AttemptState.CANCELLED, cause=f"{BY_SCANCEL} (job {job})")
    return Fate(state=AttemptState.CANCELLED, cause=f"stopped by SLURM: {why.lower()} (job {job})", keeps_task=True)


def wait_for_reason(
    read: Callable[[], str],
    patience_s: float = _WHY_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str | None:
    """Returns what slurmstepd gives as reason; the empty text if it gives none, None if it has said nothing soon."""
    until = clock() + patience_s
    while (found := reason_in(read())) is None and clock() < until:
        sleep(_MOMENT_S)
    return found


def reason_in(printed: str) -> str | None:
    """Returns the last reason for a stop in what a job has printed."""
    found = _SAID.findall(printed)
    return found[-1] if found else None
