"""Asks SLURM and our records how the tasks of the queue stand there."""

import json
import os
import time
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from contextlib import suppress

from offbranch.base.errors import OffbranchError
from offbranch.base.files import atomic_write
from offbranch.base.paths import AbsPath, join
from offbranch.base.records import as_dict, replace
from offbranch.queue.slurm.jobs import Row, Slurm, ended_jobs, jobs_of_user
from offbranch.queue.slurm.place import SLURM_DIR
from offbranch.queue.slurm.records import Submission, read_submissions, write_submission_record
from offbranch.queue.slurm.view import Element, Places, Standing, judge_submission, with_job

# Sites ask not to be asked more often by any user.
_ASK_S = 5.0
_ANSWER = "answer"


def look_at_slurm(
    slurm: Slurm,
    root: AbsPath,
    running: Container[str],
    waiting: Container[str] = (),
    *,
    clock: Callable[[], float] = time.time,
) -> Places:
    """Returns all elements of what was handed to SLURM and is remembered here; asks it anew.

    Args:
        slurm: Whom to ask.
        root: Of the project.
        running: Ids of the tasks that are carried out.
        waiting: Of those of which the accounts are asked, too, if squeue has forgotten how their jobs ended.
        clock: Seconds since the epoch.
    """
    submissions = read_submissions(root)
    if not submissions:
        return Places()
    now_utc = clock()
    rows, problem = _ask(slurm, root, submissions, now_utc)
    elements = _judged(root, submissions, rows, running, now_utc)
    return Places(elements=tuple(_with_accounting(slurm, elements, waiting)), problem=problem)


def glance_at_slurm(
    slurm: Slurm,
    root: AbsPath,
    running: Collection[str],
    waiting: Collection[str],
    failed: Collection[str],
    *,
    clock: Callable[[], float] = time.time,
) -> Places:
    """Returns the elements of those submissions that are still of interest, for people who look at the queue.

    SLURM is asked only if a task that it has had waits or runs, and an answer of the last seconds is taken too: looking at a
    queue that is done costs its controller nothing, and us no file for each task of long ago.

    Args:
        slurm: Whom to ask.
        root: Of the project.
        running: Ids of the tasks that are carried out.
        waiting: Ids of those that wait.
        failed: Ids of those that have failed.
        clock: Seconds since the epoch.
    """
    submissions = read_submissions(root)
    current = [each for each in submissions if any(task.id in running or task.id in waiting for task in each.tasks)]
    now_utc = clock()
    rows: Mapping[str, Row] | None = {}
    problem = None
    if current:
        newest_utc = max(each.submitted_utc for each in submissions)
        rows = _remembered(root, newest_utc, now_utc)
        if rows is None:
            rows, problem = _ask(slurm, root, submissions, now_utc)
    ids = {each.id for each in current}
    seen = [each for each in submissions if each.id in ids or any(task.id in failed for task in each.tasks)]
    return Places(elements=tuple(_judged(root, seen, rows, running, now_utc)), problem=problem)


def _judged(
    root: AbsPath,
    submissions: Sequence[Submission],
    rows: Mapping[str, Row] | None,
    running: Container[str],
    now_utc: float,
) -> Sequence[Element]:
    elements: list[Element] = []
    for each in submissions:
        found = with_job(each, rows or {})
        if found is not each:
            with suppress(OSError):
                write_submission_record(root, found)
        elements += judge_submission(root, found, rows, running.__contains__, now_utc)
    return elements


def forget_answer(root: AbsPath) -> None:
    """Makes the next one who looks ask SLURM, for it has been told something."""
    with suppress(OSError):
        os.unlink(join(root, f"{SLURM_DIR}/{_ANSWER}"))


def _ask(
    slurm: Slurm, root: AbsPath, submissions: Sequence[Submission], now_utc: float
) -> tuple[Mapping[str, Row] | None, OffbranchError | None]:
    rows: dict[str, Row] = {}
    try:
        for cluster in {each.cluster for each in submissions}:
            rows.update(jobs_of_user(replace(slurm, cluster=cluster)))
    except OffbranchError as error:
        return None, error
    data = {"at_utc": now_utc, "rows": [as_dict(row) for row in rows.values()]}
    with suppress(OSError):
        atomic_write(join(root, f"{SLURM_DIR}/{_ANSWER}"), json.dumps(data).encode())
    return rows, None


def _remembered(root: AbsPath, since_utc: float, now_utc: float) -> Mapping[str, Row] | None:
    path = join(root, f"{SLURM_DIR}/{_ANSWER}")
    try:
        if not 0 <= now_utc - os.stat(path).st_mtime < 2 * _ASK_S:
            return None
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        if not 0 <= now_utc - data["at_utc"] < _ASK_S or data["at_utc"] < since_utc:
            return None
        return {row["job"]: Row(**row) for row in data["rows"]}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _with_accounting(slurm: Slurm, elements: Sequence[Element], waiting: Container[str]) -> Iterable[Element]:
    """Says of elements that squeue has forgotten how they ended, where the site keeps accounts."""
    unknown = [
        each
        for each in elements
        if each.cause and each.row is None and each.job is not None and each.task.id in waiting
    ]
    if not unknown:
        return elements
    rows: dict[str, Row] = {}
    for cluster in {each.submission.cluster for each in unknown}:
        jobs = [each.job for each in unknown if each.job is not None and each.submission.cluster == cluster]
        rows.update(ended_jobs(replace(slurm, cluster=cluster), jobs))
    asked = {id(each) for each in unknown}
    return [_ended(each, rows.get(each.job or "")) if id(each) in asked else each for each in elements]


def _ended(element: Element, row: Row | None) -> Element:
    return element if row is None else replace(element, standing=Standing.ENDED, row=row, cause=row.cause)
