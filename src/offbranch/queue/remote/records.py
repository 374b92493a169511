"""Records of attempts beside a run: of a task that is not run any more, and of an experiment that is taken back."""

import os
import time

from offbranch.base.paths import AbsPath
from offbranch.base.processes import this_process
from offbranch.base.records import replace
from offbranch.experiments.attempts import end_attempt, log_of, read_records
from offbranch.experiments.checkpoint_chain import header_of
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment, Where
from offbranch.experiments.refs import task_ref
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import RefUpdate, list_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.task import Task


def record_failure(repo: GitRepo, root: AbsPath, task: Task, commit: CommitId, cause: str, now_utc: float) -> Attempt:
    """Records that a task is not run any more, and takes it out of the queue of this clone in the same transaction."""
    attempt = replace(_attempt(root, task, commit, now_utc), state=AttemptState.FAILED, cause=cause)
    ref = task_ref(task.id)
    gone = [RefUpdate(ref=name, new=None, old=at) for name, at in list_refs(repo, ref) if name == ref]
    with ObjectReader(repo) as objects:
        tree = objects.commit(commit).tree
    return end_attempt(repo, root, attempt, tree, *gone)


def take_back(
    repo: GitRepo, root: AbsPath, experiment: Experiment, task: Task, commit: CommitId, cause: str, now_utc: float
) -> Attempt:
    """Turns an experiment of this clone that could not be published into an attempt that says why, in one transaction.

    Args:
        repo, root: Of the clone.
        experiment: What the task had become.
        task: The task.
        commit: Its commit.
        cause: Why.
        now_utc: Seconds since the epoch.

    Raises:
        ConflictError: The experiment is not there any more.
    """
    mine = [each for each in read_records(root) if each.task_id == task.id and each.state is AttemptState.SUCCEEDED]
    # Without its record, which may be deleted at any time, nothing is known of the run but its files.
    made = mine[0] if mine else _attempt(root, task, commit, now_utc)
    ended = replace(made, state=AttemptState.FAILED, cause=cause, commit=None, ended_utc=made.ended_utc or now_utc)
    with ObjectReader(repo) as objects:
        tree = objects.commit(experiment.commit).tree
    return end_attempt(repo, root, ended, tree, RefUpdate(ref=experiment.ref, new=None, old=experiment.commit))


def task_of_commit(repo: GitRepo, commit: CommitId) -> str | None:
    """Returns the id of the task that has become an experiment, by its commit; None for any other, a checkpoint among them."""
    task_id, is_checkpoint = header_of(repo, commit)
    return None if is_checkpoint else task_id


def _attempt(root: AbsPath, task: Task, commit: CommitId, now_utc: float) -> Attempt:
    attempt_id = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_utc)) + f"-{os.urandom(3).hex()}"
    return Attempt(
        id=attempt_id,
        name=task.spec.name,
        baseline=task.spec.baseline,
        where=Where.QUEUE,
        state=AttemptState.RUNNING,
        process=this_process(),
        root=root,
        log=log_of(attempt_id),
        started_utc=now_utc,
        ended_utc=now_utc,
        overrides=task.spec.overrides,
        task_id=task.id,
        task_commit=commit,
        task_round=task.round,
    )
