"""Ending a run of a task whose process cannot do it any more: its worker records it, and takes the task out or leaves it."""

import time
from collections.abc import Callable
from contextlib import suppress

from offbranch.base.errors import ConflictError
from offbranch.base.paths import AbsPath
from offbranch.base.records import replace
from offbranch.experiments.attempts import attempt_of, end_update, write_record
from offbranch.experiments.checkpoint_chain import files_of_newest, header_of, put_back
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment
from offbranch.experiments.refs import attempt_ref, encode, lease_ref
from offbranch.experiments.underway import Fate
from offbranch.git.ids import CommitId, TreeId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import ANY, RefUpdate, list_refs, update_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.requests import Request, RequestKind
from offbranch.queue.task import StoredTask, TaskState
from offbranch.queue.task_end import TaskEnd

MAX_LOST = 20
LOST_TOO_OFTEN = f"its worker was lost {MAX_LOST} times"
KILLED = "stopped by 'ob queue kill'"


def n_failed(stored: StoredTask) -> int:
    """Returns how often a task has failed since it was queued."""
    return sum(attempt.state is AttemptState.FAILED for attempt in stored.attempts)


def fate_by_request(stored: StoredTask, request: Request) -> Fate:
    """Returns what becomes of a run that somebody wanted to end."""
    if request.kind is RequestKind.KILL:
        return Fate(state=AttemptState.CANCELLED, cause=KILLED)
    limit = f"{stored.task.timeout_s:g} s" if stored.task.timeout_s is not None else "its time"
    return Fate(state=AttemptState.FAILED, cause=f"it took longer than {limit}", keeps_task=may_fail_again(stored))


def may_fail_again(stored: StoredTask) -> bool:
    """Tells whether one more failure of a task leaves it in the queue."""
    return n_failed(stored) < stored.task.retries


def end_of(stored: StoredTask, attempt_id: str, fate: Fate) -> TaskEnd:
    """Returns what is told of a run that ended without an experiment."""
    state = TaskState(fate.state.value) if not fate.keeps_task else TaskState.QUEUED
    spec = stored.task.spec
    return TaskEnd(
        name=spec.name,
        id=stored.task.id,
        baseline=spec.baseline,
        state=state,
        outcome=fate.state,
        attempt_id=attempt_id,
        cause=fate.cause,
    )


def not_run(stored: StoredTask, reason: str) -> TaskEnd:
    """Returns what is told of a task that cannot be run here and stays in the queue."""
    return end_of(stored, "", Fate(state=AttemptState.FAILED, cause=reason, keeps_task=True))


def settle(
    repo: GitRepo,
    root: AbsPath,
    stored: StoredTask,
    fate: Fate,
    left: Callable[[Attempt], TreeId | None] = lambda attempt: None,
    clock: Callable[[], float] = time.time,
) -> TaskEnd | None:
    """Ends the run that has a task, whose process is gone, in one transaction.

    Args:
        repo: Where.
        root: Of the project.
        stored: The task.
        fate: What becomes of both.
        left: Tells what files the attempt has left.
        clock: Seconds since the epoch.

    Returns:
        None where there is nothing to end, or somebody else was faster.
    """
    attempt = leased_attempt(repo, stored.task.id)
    return None if attempt is None else _settle(repo, root, stored, attempt, fate, left, clock)


def settle_lost(
    repo: GitRepo,
    root: AbsPath,
    stored: StoredTask,
    left: Callable[[Attempt], TreeId | None] = lambda attempt: None,
    clock: Callable[[], float] = time.time,
) -> TaskEnd | None:
    """Ends a task whose worker is lost each time, by the record of the last of these runs."""
    attempt = leased_attempt(repo, stored.task.id) or next(iter(stored.attempts), None)
    fate = Fate(state=AttemptState.FAILED, cause=LOST_TOO_OFTEN)
    return None if attempt is None else _settle(repo, root, stored, attempt, fate, left, clock)


def _settle(
    repo: GitRepo,
    root: AbsPath,
    stored: StoredTask,
    attempt: Attempt,
    fate: Fate,
    left: Callable[[Attempt], TreeId | None],
    clock: Callable[[], float],
) -> TaskEnd | None:
    was_running = attempt.state is AttemptState.RUNNING
    ended = replace(
        attempt, state=fate.state, ended_utc=clock() if was_running else attempt.ended_utc, cause=fate.cause
    )
    files = (left(attempt) or files_of_newest(repo, attempt)) if was_running else None
    ended, update = end_update(repo, ended, files)
    drops = []
    if was_running:
        drops.append(RefUpdate(ref=lease_ref(stored.task.id), new=None, old=attempt.commit))
    if not fate.keeps_task:
        drops.append(RefUpdate(ref=stored.ref, new=None, old=ANY))
    try:
        update_refs(repo, [update, *drops, *(put_back(repo, attempt) if was_running else ())])
    except ConflictError:
        return None
    with suppress(OSError):
        write_record(root, ended)
    return end_of(stored, attempt.id, fate)


def drop_lease(repo: GitRepo, task_id: str, lease: CommitId) -> None:
    """Removes the lease of a task that is not there any more: Git was killed between the changes of one transaction."""
    with suppress(ConflictError):
        update_refs(repo, [RefUpdate(ref=lease_ref(task_id), new=None, old=lease)])


def leased_attempt(repo: GitRepo, task_id: str) -> Attempt | None:
    """Returns the attempt that has the lease of a task, if its ref is still where it began."""
    wanted = lease_ref(task_id)
    leases = [CommitId(at) for ref, at in list_refs(repo, wanted) if ref == wanted]
    if not leases:
        return None
    with ObjectReader(repo) as objects:
        attempt = attempt_of(objects.commit(leases[0]).message)
    if attempt is None or dict(list_refs(repo, attempt_ref(attempt.id))).get(attempt_ref(attempt.id)) != str(leases[0]):
        return None
    return replace(attempt, commit=leases[0])


def complete(repo: GitRepo, stored: StoredTask) -> TaskEnd | None:
    """Finishes an end that was cut off within its transaction: Git changes refs one by one, and may be killed meanwhile.

    Returns:
        How the task had ended; None if it had not, and is to be run.
    """
    made = published(repo, stored)
    gone = _ended_for_good(stored)
    if made is None and gone is None:
        return None
    drops = [RefUpdate(ref=stored.ref, new=None, old=stored.commit)]
    if stored.lease is not None:
        drops.append(RefUpdate(ref=lease_ref(stored.task.id), new=None, old=stored.lease))
    if made is not None:
        drops += [
            RefUpdate(ref=attempt_ref(each.id), new=None, old=each.commit)
            for each in stored.attempts
            if each.commit is not None and each.commit == stored.lease
        ]
    update_refs(repo, drops)
    if made is not None:
        lost = next((each.id for each in stored.attempts if each.commit == stored.lease), "")
        return replace(end_of(stored, lost, Fate(state=AttemptState.SUCCEEDED)), experiment=made)
    assert gone is not None
    return replace(end_of(stored, gone.id, Fate(state=gone.state, cause=gone.cause)), exit_code=gone.exit_code)


def published(repo: GitRepo, stored: StoredTask) -> Experiment | None:
    """Returns the experiment that a task has become already."""
    spec = stored.task.spec
    ref = encode(spec.baseline, spec.name)
    for found, at in list_refs(repo, ref):
        if found == ref and header_of(repo, CommitId(at)) == (stored.task.id, False):
            return Experiment(name=spec.name, baseline=spec.baseline, commit=CommitId(at), ref=ref)
    return None


def _ended_for_good(stored: StoredTask) -> Attempt | None:
    for attempt in stored.attempts:
        if attempt.state is AttemptState.FAILED and n_failed(stored) > stored.task.retries:
            return attempt
        if attempt.state is AttemptState.CANCELLED and attempt.cause == KILLED:
            return attempt
    return None
