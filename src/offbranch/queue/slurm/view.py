"""How the tasks of the queue stand in SLURM: from our records, squeue's answer and the leases. Judging is pure.

SLURM alone is not believed: it may say RUNNING of what has long died (a killed slurmstepd), and after some minutes it forgets
what has ended. Whether a task runs is told by its lease; whether it is about to, by what SLURM and its element say.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.processes import host_name, is_alive
from offbranch.base.records import record, replace
from offbranch.queue.slurm.jobs import HOLDS_NODE, WAITING, Row
from offbranch.queue.slurm.records import (
    COMMENT,
    ElementNote,
    SeenEnd,
    SlurmTask,
    Submission,
    is_withdrawn,
    output_path,
    read_note,
    seconds_silent,
)

# So long an element may take from the start of its job to its first word, and between its words and its lease, before
# it counts as lost: Python and Git on a shared file system that a thousand jobs read at once.
BEGIN_S = 600.0
# Clocks of machines differ; SLURM itself tells the time to the second.
_CLOCKS_S = 5.0
# So long SLURM may take to notice that an element has ended, before that counts as a place held for nothing.
_NOTICE_S = 10.0
_TAKEN_BACK = "it was taken back"
# An element says every `BEAT_S` seconds that it lives; so much silence is its end, if it is on another machine.
BEAT_S = 20.0
_SILENCE_S = 120.0


class Standing(Enum):
    """How an element of an array stands."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"


@record
class Element:
    """One element of an array.

    Attributes:
        submission: Whose.
        index: From 0.
        job: Id of the array and index; None if sbatch never said it.
        standing: How it stands.
        row: What SLURM says of it; None if it has forgotten it.
        note: What it says of itself; None if it never began.
        carries: Id of the task that it carries out at this moment, which need not be its own.
        cause: Why it ended without carrying out its task; empty where it did, and before.
        is_leaving: It has said a moment ago that it has ended, which SLURM need not know yet.
    """

    submission: Submission
    index: int
    job: str | None
    standing: Standing
    row: Row | None = None
    note: ElementNote | None = None
    carries: str | None = None
    cause: str = ""
    is_leaving: bool = False

    @property
    def task(self) -> SlurmTask:
        """What it is for."""
        return self.submission.tasks[self.index]

    @property
    def is_alive(self) -> bool:
        """Whether its task is or will be carried out by it."""
        return self.standing in (Standing.PENDING, Standing.STARTING, Standing.RUNNING)

    @property
    def is_failure(self) -> bool:
        """Whether something was wrong with the job, rather than that somebody did not want it."""
        if self.standing is Standing.LOST:
            return True
        return (
            self.cause not in ("", _TAKEN_BACK)
            and self.row is not None
            and self.row.state not in ("CANCELLED", "PREEMPTED")
        )

    @property
    def holds_place(self) -> bool:
        """Whether SLURM still has it, waiting or on a node."""
        return self.row is not None and (self.row.state in WAITING or self.row.state in HOLDS_NODE)

    @property
    def is_lost(self) -> bool:
        """Whether it is on a node, by SLURM's account, and does nothing there."""
        has_ended = self.standing in (Standing.LOST, Standing.ENDED)
        return (
            has_ended
            and self.carries is None
            and not self.is_leaving
            and self.row is not None
            and self.row.state in HOLDS_NODE - {"COMPLETING"}
        )

    @property
    def output(self) -> RepoPath:
        """Where SLURM writes what it prints."""
        return output_path(self.submission.id, self.index)


@record
class Places:
    """All elements.

    Attributes:
        elements: Oldest submission first.
        problem: That SLURM did not answer; everything that it might have is then taken to be as it was.
    """

    elements: tuple[Element, ...] = ()
    problem: OffbranchError | None = None

    def of(self, task_id: str, round_: int) -> Element | None:
        """Returns the element of a task that counts: one that is alive, otherwise the last."""
        found = [each for each in self.elements if each.task.id == task_id and each.task.round == round_]
        return next((each for each in found if each.is_alive), found[-1] if found else None)

    def n_failures(self, task_id: str, round_: int, since_utc: float) -> int:
        """Returns how many elements that were for a task came to nothing, of those handed over since it last began."""
        return sum(
            each.is_failure and each.submission.submitted_utc > since_utc
            for each in self.elements
            if (each.task.id, each.task.round) == (task_id, round_)
        )


def with_ends(submission: Submission, elements: Iterable[Element]) -> Submission:
    """Returns a submission that remembers which of its elements came to nothing; the same if that is nothing new."""
    known = {end.index for end in submission.ends}
    new = [
        SeenEnd(
            index=each.index,
            state="LOST" if each.row is None or each.standing is Standing.LOST else each.row.state,
            reason=each.row.reason if each.row is not None else "",
            node=each.row.node if each.row is not None else "",
        )
        for each in elements
        if each.submission.id == submission.id and each.is_failure and each.index not in known
    ]
    return replace(submission, ends=(*submission.ends, *new)) if new else submission


def with_job(submission: Submission, rows: Mapping[str, Row]) -> Submission:
    """Returns a submission with its job, if SLURM has it and we were killed before we could note it."""
    if submission.job_id is not None:
        return submission
    comment = f"{COMMENT}{submission.id}"
    found = next((row for row in rows.values() if row.comment == comment), None)
    return submission if found is None else replace(submission, job_id=found.job.partition("_")[0])


def judge_submission(
    root: AbsPath,
    submission: Submission,
    rows: Mapping[str, Row] | None,
    running: Callable[[str], bool],
    now_utc: float,
) -> Iterable[Element]:
    """Returns the elements of a submission, in order.

    Args:
        rows: What SLURM says; None if it does not answer.
        running: Tells whether a task is carried out at this moment.
        now_utc: Seconds since the epoch.
    """
    ends = {each.index: _row(each) for each in submission.ends}
    for index, task in enumerate(submission.tasks):
        job = None if submission.job_id is None else f"{submission.job_id}_{index}"
        note = read_note(root, submission.id, index)
        row = rows.get(job) if rows is not None and job is not None else None
        if row is not None and row.comment != f"{COMMENT}{submission.id}":
            row = None  # ids begin anew where a SLURM is set up again
        if index in ends and (row is None or row.has_ended):
            row = ends[index]
        is_running = note is not None and _may_carry_out(note, row) and running(note.task_id or "")
        if row is not None and note is not None and _is_earlier(note, row):
            note, is_running = None, False
        seen = Seen(
            row=row,
            note=note,
            knows=rows is not None,
            is_running=is_running,
            is_there=note is not None and _is_there(root, submission.id, index, note),
            now_utc=now_utc,
        )
        standing, cause = judge(submission, seen)
        if standing is Standing.ENDED and cause and is_withdrawn(root, submission.id, index):
            cause = _TAKEN_BACK
        carries = note.task_id if note is not None and standing is Standing.RUNNING else None
        if carries is not None and carries != task.id:
            standing = Standing.ENDED  # for its own, which was not there when it began
        yield Element(
            submission=submission,
            index=index,
            job=job,
            standing=standing,
            row=row,
            note=note,
            carries=carries,
            cause=cause,
            is_leaving=note is not None and note.ended_utc is not None and now_utc - note.ended_utc < _NOTICE_S,
        )


@record
class Seen:
    """What is known of an element.

    Attributes:
        row: What SLURM says; None if it has forgotten it.
        note: What it says of itself since SLURM started it last; None if nothing yet.
        knows: Whether SLURM has answered.
        is_running: Whether the task that it says it has is carried out.
        is_there: Whether its process lives, as far as that can be told from here.
        now_utc: Seconds since the epoch.
    """

    row: Row | None
    note: ElementNote | None
    knows: bool
    is_running: bool
    is_there: bool
    now_utc: float


def judge(submission: Submission, seen: Seen) -> tuple[Standing, str]:
    """Returns how an element stands, and why if it came to nothing."""
    row, note = seen.row, seen.note
    if seen.is_running:
        return Standing.RUNNING, ""
    if row is not None and row.state in WAITING:
        return Standing.PENDING, ""
    if note is not None and note.end:
        return Standing.ENDED, ""
    if not seen.knows:
        return Standing.PENDING, ""
    if row is None:
        return Standing.ENDED, _forgotten(submission, note)
    if row.state not in HOLDS_NODE:
        return Standing.ENDED, row.cause
    is_young = row.started_utc is None or seen.now_utc - row.started_utc < BEGIN_S
    if note is None:
        return (Standing.STARTING, "") if is_young else (Standing.LOST, "nothing of it began on its node")
    if seen.is_there:
        return Standing.STARTING, ""
    return Standing.LOST, "its process is gone, though SLURM says that it runs"


def _is_there(root: AbsPath, submission_id: str, index: int, note: ElementNote) -> bool:
    if note.end:
        return False
    if note.process.host == host_name():
        return is_alive(note.process)
    return seconds_silent(root, submission_id, index) < _SILENCE_S


def _may_carry_out(note: ElementNote, row: Row | None) -> bool:
    """Tells whether it can be this element that a task is carried out by, and not one that came after it."""
    if note.task_id is None or note.end:
        return False
    if note.process.host == host_name():
        return is_alive(note.process)
    return row is None or not row.has_ended  # one that waits may have begun since SLURM was asked


def _is_earlier(note: ElementNote, row: Row) -> bool:
    """Tells whether SLURM has started an element again since it said something."""
    return row.state in HOLDS_NODE and row.started_utc is not None and note.started_utc < row.started_utc - _CLOCKS_S


def _forgotten(submission: Submission, note: ElementNote | None) -> str:
    if submission.job_id is None:
        return ""  # sbatch refused it, or was never called
    # A job that is cancelled before it starts is forgotten at once.
    return "its process is gone" if note is not None else "SLURM does not have it any more"


def _row(end: SeenEnd) -> Row:
    return Row(job="", state=end.state, reason=end.reason, node=end.node)
