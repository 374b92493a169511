"""The end of a task that SLURM could not even start: an attempt that says why, with what SLURM printed as its log."""

import os

from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.attempts import begin_leased, log_of
from offbranch.experiments.experiment import Attempt, AttemptState, Where
from offbranch.experiments.underway import Fate
from offbranch.git.refs import RefUpdate
from offbranch.git.repository import GitRepo
from offbranch.queue.settle import settle
from offbranch.queue.slurm.records import read_output
from offbranch.queue.slurm.view import Element
from offbranch.queue.task import StoredTask


def end_unstarted(
    repo: GitRepo, root: AbsPath, stored: StoredTask, fate: Fate, element: Element, now_utc: float
) -> bool:
    """Records that a task has failed, and takes it out of the queue; to be called by who holds its lease.

    Returns:
        False if somebody else was faster.

    Raises:
        ConflictError: Likewise.
    """
    if stored.lease is None:
        attempt = Attempt(
            id=f"{stored.task.id[:15]}-{os.urandom(3).hex()}",
            name=stored.name,
            baseline=stored.task.spec.baseline,
            where=Where.QUEUE,
            state=AttemptState.RUNNING,
            process=this_process(),
            root=root,
            log="",
            started_utc=now_utc,
            overrides=stored.task.spec.overrides,
            task_id=stored.task.id,
            task_commit=stored.commit,
            task_round=stored.task.round,
        )
        attempt = replace(attempt, log=log_of(attempt.id))
        is_there = RefUpdate(ref=stored.ref, new=stored.commit, old=stored.commit)
        begin_leased(repo, root, attempt, stored.tree, None, is_there)
        _write_log(root, attempt, element)
    return settle(repo, root, stored, fate, clock=lambda: now_utc) is not None


def _write_log(root: AbsPath, attempt: Attempt, element: Element) -> None:
    text = read_output(root, element.submission.id, element.index)
    path = join(root, attempt.log)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text or f"job {element.job} of SLURM printed nothing; what it would have is in {element.output}\n")
