"""How a task that a worker has run ends at the Git remote: everything it made first, then one atomic push.

That push makes the experiment (or the attempt and its log), and removes task, lease and wishes; it expects each as it
was seen. So of all that ever run a task one publishes, whatever is lost on the way; and where no answer comes, what is
there then tells.
"""

import os
from collections.abc import Mapping
from enum import Enum

from offbranch.base.errors import RefusedError, RemoteError
from offbranch.base.paths import AbsPath, GitPath, join
from offbranch.base.records import record
from offbranch.experiments.chains import chains_of
from offbranch.experiments.experiment import Attempt, Experiment
from offbranch.experiments.refs import attempt_ref, checkpoint_ref, lease_ref, log_ref, request_ref, task_ref
from offbranch.experiments.share_push import RULES
from offbranch.git.ids import CommitId
from offbranch.git.network import PushAnswer, PushState, RemoteUpdate, list_remote, push_updates
from offbranch.git.objects import MODE_FILE, ObjectReader, write_blob, write_commit, write_tree
from offbranch.git.repository import GitRepo
from offbranch.queue.remote.lease import Lease, is_of
from offbranch.queue.remote.place import QueueRemote, read_spot, refuse_without_atomic
from offbranch.queue.task import Task

LOG_NAME = GitPath("output.log")
# Of a longer log the beginning and the end.
_MAX_LOG_BYTES = 16 << 20
_LOG_HEAD_BYTES = 1 << 20


class EndState(Enum):
    """What came of publishing."""

    DONE = "done"
    LOST = "lost"  # the lease is somebody else's, or the task was removed: nothing was published
    NAME_TAKEN = "name taken"


@record
class Ending:
    """What is to be published.

    Attributes:
        task: The task.
        task_commit: Its commit.
        experiment: What it became; None if it did not.
        attempts: Of this worker at the task, which did not become an experiment.
        keeps_task: Whether the task waits again.
        checkpoint: Where who takes it then, or after it was queued again, goes on; its data is at the data remotes.
    """

    task: Task
    task_commit: CommitId
    experiment: Experiment | None = None
    attempts: tuple[Attempt, ...] = ()
    keeps_task: bool = False
    checkpoint: CommitId | None = None


def publish_end(place: QueueRemote, root: AbsPath, lease: Lease, ending: Ending) -> EndState:
    """Publishes how a task ended.

    Args:
        place: Where.
        root: Of the project, for logs.
        lease: Ours, renewed or not.
        ending: What is to be published; its data is at the data remotes already.

    Raises:
        RefusedError: It has a rule against it.
        RemoteError: It cannot be reached; nothing has been published, or all: the next try will tell.
    """
    spot = read_spot(place, lease.task_id)
    made = _updates_of(place, root, ending)
    if spot.lease is None or not is_of(place.repo, spot.lease, lease) or spot.task != lease.task_commit:
        return _already(place, ending)
    updates = [*made, RemoteUpdate(ref=lease_ref(lease.task_id), new=None, old=spot.lease)]
    if not ending.keeps_task:
        updates.append(RemoteUpdate(ref=task_ref(lease.task_id), new=None, old=spot.task))
    progress = (ending.checkpoint or spot.checkpoint) if ending.keeps_task else None
    if spot.checkpoint != progress:
        ref = checkpoint_ref(lease.task_id)
        updates.append(RemoteUpdate(ref=ref, new=progress, old=spot.checkpoint, force=progress is not None))
    if spot.request is not None:
        updates.append(RemoteUpdate(ref=request_ref(lease.task_id), new=None, old=spot.request))
    answers = push_updates(place.repo, place.remote, updates, place.talk, atomic=True)
    if all(answer.state is PushState.DONE for answer in answers.values()):
        return EndState.DONE
    return _after_refusal(place, ending, answers)


def release_lease(place: QueueRemote, lease: Lease) -> None:
    """Gives a task back that nothing was done for.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    spot = read_spot(place, lease.task_id)
    if spot.lease is not None and is_of(place.repo, spot.lease, lease):
        update = RemoteUpdate(ref=lease_ref(lease.task_id), new=None, old=spot.lease)
        push_updates(place.repo, place.remote, (update,), place.talk)


def write_log(repo: GitRepo, root: AbsPath, attempt: Attempt) -> CommitId | None:
    """Stores what the commands of an attempt wrote as a commit; None if there is nothing."""
    content = _log_bytes(join(root, attempt.log))
    if not content:
        return None
    tree = write_tree(repo, {LOG_NAME: (MODE_FILE, write_blob(repo, content))})
    when = int(attempt.ended_utc or attempt.started_utc)  # the same log is the same commit, also if it is stored again
    return write_commit(repo, tree=tree, parents=(), message=f"ob: log {attempt.id}\n", time_s=when)


def _log_bytes(path: AbsPath) -> bytes:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= _MAX_LOG_BYTES:
                return file.read()
            head = file.read(_LOG_HEAD_BYTES)
            file.seek(size - (_MAX_LOG_BYTES - _LOG_HEAD_BYTES))
            return head + f"\n... {size - _MAX_LOG_BYTES} bytes left out ...\n".encode() + file.read()
    except OSError:
        return b""


def _updates_of(place: QueueRemote, root: AbsPath, ending: Ending) -> list[RemoteUpdate]:
    """Returns the changes that publish what was made; of what is there already none."""
    wanted: dict[str, CommitId] = {}
    for attempt in ending.attempts:
        if attempt.commit is not None:
            wanted[attempt_ref(attempt.id)] = attempt.commit
            if (log := write_log(place.repo, root, attempt)) is not None:
                wanted[log_ref(attempt.id)] = log
    made = ending.experiment
    refs = (*wanted, *(() if made is None else (made.ref,)))
    there = list_remote(place.repo, place.remote, refs, place.talk, for_push=True) if refs else {}
    updates = [
        RemoteUpdate(ref=ref, new=commit, old=there.get(ref), force=True)
        for ref, commit in wanted.items()
        if there.get(ref) != commit
    ]
    if made is not None and there.get(made.ref) != made.commit:
        old = there.get(made.ref)
        if old is not None and not ending.task.spec.force:
            with ObjectReader(place.repo) as objects:
                # What was pushed unfinished, and gone on from.
                old = old if old in chains_of(objects, (made,))[made.ref] else None
        updates.append(RemoteUpdate(ref=made.ref, new=made.commit, old=old, force=True))
    return updates


def _already(place: QueueRemote, ending: Ending) -> EndState:
    """Tells whether what we have is published although the lease is gone: the answer to an earlier push may have been lost."""
    return EndState.DONE if _is_there(place, ending) else EndState.LOST


def _is_there(place: QueueRemote, ending: Ending) -> bool:
    if ending.experiment is not None:
        ref, commit = ending.experiment.ref, ending.experiment.commit
    elif ending.attempts and ending.attempts[0].commit is not None:
        ref, commit = attempt_ref(ending.attempts[0].id), ending.attempts[0].commit
    else:
        return False
    return list_remote(place.repo, place.remote, (ref,), place.talk, for_push=True).get(ref) == commit


def _after_refusal(place: QueueRemote, ending: Ending, answers: Mapping[str, PushAnswer]) -> EndState:
    if _is_there(place, ending):
        return EndState.DONE
    refuse_without_atomic(place, answers)
    made = ending.experiment
    if made is not None and made.ref in answers and answers[made.ref].state is PushState.OUTDATED:
        return EndState.NAME_TAKEN
    reasons = [answer.reason for answer in answers.values() if answer.state is not PushState.DONE]
    reason = next((each for each in reasons if "atomic push failed" not in each), reasons[0])
    text = f"{place.remote.text} did not take the result: {reason}"
    if any(word in reason for word in RULES):
        raise RefusedError(text, hint="whoever keeps that repository can say which rule forbids it")
    raise RemoteError(text, is_transient=True)
