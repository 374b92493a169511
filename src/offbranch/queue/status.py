"""The records of `ob queue status`: one row for one task, whatever was tried and lost for it; and finding them by name.

What has become of each task is found out by `standing.py`; nothing here touches the world.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from offbranch.base.errors import NotFoundError, did_you_mean
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.git.ids import CommitId
from offbranch.queue.workers import Worker

QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = "queued", "running", "succeeded", "failed", "cancelled"
ENDED = frozenset((SUCCEEDED, FAILED, CANCELLED))
_SHORTEST_ID = 4
_MONTHS_BEFORE = (306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275)
_LOST = "the process that ran it was killed"
_NOTHING: Mapping[str, Any] = {}


@record
class Standing:
    """Where a task runs.

    Attributes:
        worker: Id of the worker; None where none says that it has it.
        slot: Label of the worker's slot.
        is_orphan: Its process is gone, and a command that it started still runs.
    """

    worker: str | None = None
    slot: str | None = None
    is_orphan: bool = False


@record
class Elsewhere:
    """Who has a task of a shared queue, in another clone; as of the last time that we asked.

    Attributes:
        host: Its machine; empty where nobody can tell.
        pid: The worker.
        since_utc: In seconds since the epoch, by the clock of that machine; None where nobody can tell.
    """

    host: str = ""
    pid: int | None = None
    since_utc: float | None = None


@record
class Job:
    """What a batch system has of a task.

    Attributes:
        id: As the system calls it.
        state: `pending`, `starting`, `running`, `ended`, `lost`, or `unknown` where the system does not answer.
        reason: Why it waits or has ended, in the words of the system; empty where it says nothing.
        node: Where it runs or ran; empty before.
        cause: Why it came to nothing; empty unless it did.
        output: What the system and the job itself have printed, relative to the project.
    """

    id: str
    state: str
    reason: str = ""
    node: str = ""
    cause: str = ""
    output: str = ""


@record
class PeerRun:
    """What DVC tells of a task of its own queue that a worker has taken.

    Attributes:
        log: What its commands wrote; None where there is no such file yet.
        pid: While it runs: of the process that carries it out.
        exit_code: Of that process, once it has ended.
    """

    log: AbsPath | None = None
    pid: int | None = None
    exit_code: int | None = None


@record
class TaskStatus:
    """One task.

    Attributes:
        rev: Its commit; None where nothing remembers it any more.
        state: `queued`, `running`, `succeeded`, `failed` or `cancelled`.
        is_held: It waits, and is left alone.
        about: What was asked for, by the keys of its record; empty where that is not known any more.
        attempts: At it, of all rounds, newest first.
        n_lost: How often its worker was lost, in this round.
        n_failed: How often it failed, in this round.
        standing: Where it runs; None unless it does here.
        elsewhere: Who runs it; None unless somebody does, not here.
        is_shared: It is, or may be, at the Git remote of a shared queue too.
        experiment: What it has become.
        problem: Why its record cannot be read.
        unfit: Why it waits although there are workers: what it needs of a machine, and they cannot give.
        job: What SLURM has of it; None where nothing was handed to it.
        peer: It is in DVC's queue, which `ob` only looks at; None for our own.
    """

    id: str
    name: str
    baseline: str
    rev: CommitId | None
    state: str
    is_held: bool = False
    about: Mapping[str, Any] = _NOTHING
    attempts: tuple[Attempt, ...] = ()
    n_lost: int = 0
    n_failed: int = 0
    standing: Standing | None = None
    elsewhere: Elsewhere | None = None
    is_shared: bool = False
    experiment: CommitId | None = None
    made_utc: int | None = None
    problem: str = ""
    unfit: str | None = None
    job: Job | None = None
    peer: PeerRun | None = None

    @property
    def last(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[0] if self.attempts else None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it by itself."""
        return self.state in ENDED

    @property
    def created_utc(self) -> float | None:
        """When it was queued, in seconds since the epoch; where only its id is left, to the second."""
        created = self.about.get("created_utc")
        return float(created) if created is not None else time_of_id(self.id)

    @property
    def cause(self) -> str:
        """What there is to be known of a task that does not simply wait, run or succeed; in one line, or empty."""
        last = self.last
        if self.problem:
            return f"cannot be read: {self.problem}"
        if self.peer is not None:
            return _peer_cause(self.peer) if self.state == FAILED else ""
        if self.state in (FAILED, CANCELLED):
            return "" if last is None else _one_line(last.cause) or _silent_end(last)
        if self.standing is not None:
            return "its worker is gone, its command still runs" if self.standing.is_orphan else ""
        return (self.unfit or _earlier(self)) if self.state == QUEUED else ""

    @property
    def place(self) -> str:
        """Where another machine or a batch system has it, in words; empty where none does."""
        job = self.job
        if self.elsewhere is not None:
            return f"on {self.elsewhere.host or 'another machine'}"
        if job is None or self.has_ended:
            return ""
        if job.state == "running":
            return f"SLURM {job.id} on {job.node}"
        more = job.cause or job.reason
        return f"SLURM {job.id} {job.state}" + (f": {more}" if more else "")


@record
class QueueStatus:
    """The queue at one moment.

    Attributes:
        tasks: Running, queued (next first), held, failed, succeeded; in each group in the order of their ids.
        workers: Those that live.
    """

    tasks: tuple[TaskStatus, ...] = ()
    workers: tuple[Worker, ...] = ()

    @property
    def n_active(self) -> int:
        """Slots of workers that carry something out."""
        return sum(slot.task_id is not None for worker in self.workers for slot in worker.slots)

    @property
    def n_idle(self) -> int:
        """Slots of workers that carry nothing out."""
        return sum(len(worker.slots) for worker in self.workers) - self.n_active


def find_tasks(tasks: Iterable[TaskStatus], text: str) -> tuple[TaskStatus, ...]:
    """Returns the tasks that a text stands for, newest first: a name, an id, a ref, the beginning of a commit id, the id of
    an attempt, or a pattern of names."""
    found = [task for task in tasks if _is_meant(task, text)]
    if not found and any(sign in text for sign in "*?["):
        match = load("fnmatch:fnmatchcase")
        found = [task for task in tasks if match(task.name, text)]
    return tuple(sorted(found, key=lambda task: task.id, reverse=True))


def choose_tasks(status: QueueStatus, names: Sequence[str]) -> tuple[TaskStatus, ...]:
    """Returns the tasks that some texts stand for, in the order of the status; all of them where nothing is named.

    Raises:
        NotFoundError: One of them stands for nothing; near names are offered.
    """
    if not names:
        return status.tasks
    wanted: set[str] = set()
    for name in names:
        found = find_tasks(status.tasks, name)
        if not found:
            raise unknown_task(status, name)
        wanted.update(task.id for task in found)
    return tuple(task for task in status.tasks if task.id in wanted)


def unknown_task(status: QueueStatus, text: str) -> NotFoundError:
    """Returns the error for a text that stands for no task."""
    near = did_you_mean(text, {task.name for task in status.tasks})
    return NotFoundError(
        f"'{text}' is not a valid queued experiment name", hint=near or "ob queue status lists the tasks there are"
    )


def _is_meant(task: TaskStatus, text: str) -> bool:
    if text in (task.name, task.id, f"refs/ob/tasks/{task.id}") or any(text == each.id for each in task.attempts):
        return True
    if len(text) < _SHORTEST_ID:
        return False
    lowered = text.lower()
    return any(commit is not None and commit.startswith(lowered) for commit in (task.rev, task.experiment))


def was_lost(attempt: Attempt) -> bool:
    """Tells whether nobody recorded how an attempt ended; of one that goes on it is said by mistake."""
    return attempt.state in (AttemptState.RUNNING, AttemptState.INTERRUPTED)


def time_of_id(task_id: str) -> float | None:
    """Returns when a task was queued, by its id: in seconds since the epoch, to the millisecond; None for another's id."""
    digits = f"{task_id[:8]}{task_id[9:15]}"
    if not (digits.isdigit() and len(digits) == 14 and task_id[8:16:7] == "--"):
        return None
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    if not 1 <= month <= 12:
        return None
    year -= month < 3
    # Days since 1970-01-01 of a year that begins in March; `time.strptime` would take longer than the rest of the command.
    days = 365 * year + year // 4 - year // 100 + year // 400 + _MONTHS_BEFORE[month - 1] + day - 719469
    clock = int(digits[8:10]) * 3600 + int(digits[10:12]) * 60 + int(digits[12:])
    try:
        return days * 86400 + clock + int(task_id[16:19], 16) / 1000
    except ValueError:
        return float(days * 86400 + clock)


def _earlier(task: TaskStatus) -> str:
    """Returns what has happened to a task that waits."""
    parts = []
    if task.n_failed:
        last = next((each for each in task.attempts if each.state is AttemptState.FAILED), None)
        why = f": {_one_line(last.cause)}" if last is not None and last.cause else ""
        parts.append(f"failed {_times(task.n_failed)}{why}")
    if task.n_lost:
        parts.append(f"lost {_times(task.n_lost)}: {_LOST}")
    return "; ".join(parts)


def _peer_cause(run: PeerRun) -> str:
    return "failed in DVC's queue" + (f", exit code {run.exit_code}" if run.exit_code else "")


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _silent_end(attempt: Attempt) -> str:
    if was_lost(attempt):
        return _LOST
    return "cancelled" if attempt.state is AttemptState.CANCELLED else "failed"


def _one_line(text: str) -> str:
    return " ".join(text.split())
