"""Handing tasks to SLURM: which of them, and the call of sbatch, noted before and after.

To be called by who holds the lock of `slurm_lock`, so that no two find the same tasks not handed over.
"""

import os
import shlex
import sys
import time
from collections.abc import Iterable, Sequence

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import this_process
from offbranch.base.records import record, replace
from offbranch.queue.slurm.jobs import Slurm, submit
from offbranch.queue.slurm.place import SLURM_DIR
from offbranch.queue.slurm.plan import ArrayJob
from offbranch.queue.slurm.records import (
    COMMENT,
    SlurmTask,
    Submission,
    forget_submission,
    output_path,
    write_script,
    write_submission_record,
)
from offbranch.queue.slurm.view import Element, Places, Standing
from offbranch.queue.task import StoredTask, TaskState

# So often a job of a task may come to nothing, by its node or by SLURM's limits, before the task counts as failed.
MAX_FAILURES = 3
# Records of jobs that have ended are kept that long, for who wants to read what SLURM said.
_KEPT_S = 7 * 86_400.0


@record
class Duties:
    """What is to be done about the queue and SLURM; made by `plan_duties`.

    Attributes:
        submit: Tasks that nobody carries out and that SLURM does not have.
        give_up: Tasks whose jobs have come to nothing too often, and the last of these.
        cancel: Elements that hold a place in SLURM for nothing.
        forget: Submissions that nobody needs to remember.
        there: Ids of tasks that wait and that SLURM has already.
    """

    submit: tuple[StoredTask, ...] = ()
    give_up: tuple[tuple[StoredTask, Element], ...] = ()
    cancel: tuple[Element, ...] = ()
    forget: tuple[Submission, ...] = ()
    there: tuple[str, ...] = ()


def slurm_lock(root: AbsPath) -> AbsPath:
    """Returns the lock that tasks are handed over under."""
    return join(root, f"{SLURM_DIR}/lock")


def plan_duties(chosen: Iterable[StoredTask], tasks: Iterable[StoredTask], places: Places, now_utc: float) -> Duties:
    """Decides.

    Args:
        chosen: Tasks that are to be run in SLURM.
        tasks: All that are in the queue.
        places: How they stand in SLURM.
        now_utc: Seconds since the epoch.
    """
    wanted, given_up, in_slurm = [], [], []
    there = {stored.task.id for stored in tasks}
    for stored in chosen:
        if stored.state is not TaskState.QUEUED or stored.task.is_held:
            continue
        element = places.of(stored.task.id, stored.task.round)
        if element is not None and element.is_alive:
            in_slurm.append(stored.task.id)
        elif element is not None and _n_failures(stored, places) >= MAX_FAILURES:
            given_up.append((stored, element))
        else:
            wanted.append(stored)
    return Duties(
        submit=tuple(wanted),
        give_up=tuple(given_up),
        cancel=tuple(each for each in places.elements if each.is_lost or _is_for_nothing(each, there)),
        forget=_forgettable(places, there, now_utc),
        there=tuple(in_slurm),
    )


def hand_over(slurm: Slurm, root: AbsPath, array: ArrayJob, options: Sequence[str], after: str | None) -> Submission:
    """Calls sbatch for one array; returns its record, with the id of the job.

    Args:
        slurm: Where.
        root: Of the project.
        array: What.
        options: Of the user; they win over what the tasks need.
        after: Id of a job that must have ended before.

    Raises:
        OffbranchError: sbatch refused it; nothing is left of it.
    """
    now_utc = time.time()
    submission = Submission(
        id=time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_utc)) + f"-{os.urandom(3).hex()}",
        submitted_utc=now_utc,
        by=this_process(),
        tasks=tuple(SlurmTask(id=stored.task.id, round=stored.task.round) for stored in array.tasks),
        options=(*array.options, *options),
    )
    write_submission_record(root, submission)
    script = write_script(root, submission.id, script_of(submission.id))
    try:
        job, cluster = submit(slurm, [*_words(root, submission, array, options, after), script])
    except OffbranchError:
        forget_submission(root, submission.id)
        raise
    submission = replace(submission, job_id=job, cluster=cluster)
    write_submission_record(root, submission)
    return submission


def script_of(submission_id: str) -> str:
    """Returns what each element runs: this very `ob`, wherever PATH leads there."""
    words = [sys.executable, "-P", "-m", "offbranch", "queue", "run-task", "--slurm", submission_id]
    return f"#!/bin/sh\nexec {shlex.join(words)}\n"


def _words(
    root: AbsPath, submission: Submission, array: ArrayJob, options: Sequence[str], after: str | None
) -> list[str]:
    return [
        f"--array={array.array}",
        f"--chdir={root}",
        # SLURM fills in patterns in the whole path, that of the project included.
        f"--output={root.replace('%', '%%')}/{output_path(submission.id, '%a')}",
        "--open-mode=append",
        "--job-name=ob",
        "--requeue",
        *([f"--dependency=afterany:{after}"] if after is not None else []),
        *array.options,
        *options,
        f"--comment={COMMENT}{submission.id}",
    ]


def _n_failures(stored: StoredTask, places: Places) -> int:
    """Returns how many jobs were for nothing since a task last began; a run that is lost counts elsewhere (`n_lost`)."""
    began_utc = max((attempt.started_utc for attempt in stored.attempts), default=0.0)
    return places.n_failures(stored.task.id, stored.task.round, began_utc)


def _is_for_nothing(element: Element, there: set[str]) -> bool:
    return element.standing is Standing.PENDING and element.holds_place and element.task.id not in there


def _forgettable(places: Places, waiting: set[str], now_utc: float) -> tuple[Submission, ...]:
    alive = {each.submission.id for each in places.elements if each.is_alive or each.holds_place}
    found = {each.submission.id: each.submission for each in places.elements}
    return tuple(
        each
        for each in found.values()
        if each.id not in alive
        and places.problem is None
        and now_utc - each.submitted_utc > _KEPT_S
        and not any(task.id in waiting for task in each.tasks)
    )
