"""Taking a task: from what waits in Git to a prepared run, the same as that of `ob exp run --temp`.

To be called by who holds the lock of the lease, while nothing is collected as garbage. The ref of the lease is made in the
transaction that makes the attempt, and expects what was read before: of several that try, one gets the task. It goes in the
transaction that ends the attempt, so who lost the task meanwhile publishes nothing.
"""

from collections.abc import Callable

from offbranch.base.events import Notice
from offbranch.base.locks import LockFile
from offbranch.base.paths import absolute
from offbranch.base.records import record, replace
from offbranch.experiments.attempts import end_update, write_record
from offbranch.experiments.checkpoint_chain import put_back
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.refs import sending_ref, sent_ref
from offbranch.experiments.temporary_run import Prepared, QueuedFiles, prepare_queued, run_prepared
from offbranch.experiments.underway import Fate, Launch, Ran, fate_of
from offbranch.git.ids import TreeId
from offbranch.git.refs import RefUpdate
from offbranch.git.repository import GitRepo
from offbranch.pipeline.options import RunOptions
from offbranch.project import Project
from offbranch.queue.going_on import before_it, beginning_of, is_own
from offbranch.queue.task import StoredTask
from offbranch.storage.remote_setting import remote_names

LOST = "the process that ran it was killed"


@record
class Taken:
    """A task in the hands of this process; carrying it out needs no lock of the project."""

    stored: StoredTask
    prepared: Prepared

    @property
    def attempt(self) -> Attempt:
        """The record of this run of it."""
        return self.prepared.under.attempt


def take_task(
    project: Project,
    repo: GitRepo,
    stored: StoredTask,
    launch: Launch,
    lock: LockFile,
    fate: Callable[[BaseException], Fate] = fate_of,
    left: Callable[[Attempt], TreeId | None] = lambda attempt: None,
) -> Taken:
    """Makes a task ours: its attempt is recorded, and from now on it counts as running.

    An attempt whose worker has died, and whose lease the task still has, is recorded as interrupted in the same transaction.

    Args:
        project: Whose task.
        repo: Its repository.
        stored: The task, as it was read a moment ago.
        launch: For the run.
        lock: That of its lease.
        fate: What an error means for it.
        left: Tells what files an attempt has left whose worker has died.

    Raises:
        ConflictError: Somebody else has it, or it is not in the queue any more.
    """
    lost = next((each for each in stored.attempts if each.commit is not None and each.commit == stored.lease), None)
    before: tuple[RefUpdate, ...] = ()
    if lost is not None and lost.state is AttemptState.RUNNING:
        lost = replace(lost, state=AttemptState.INTERRUPTED, ended_utc=launch.clock(), cause=LOST)
        name_back = put_back(repo, lost)
        lost, update = end_update(repo, lost, left(lost))
        before = (update, *name_back)
    begun = beginning_of(project, repo, stored, launch.reporter)
    spec = replace(stored.task.spec, resumed=None if begun is None else begun.commit)
    alone = () if stored.is_shared else _not_at_a_remote(stored.task.id)
    queued = QueuedFiles(
        id=stored.task.id,
        ref=stored.ref,
        commit=stored.commit,
        tree=stored.tree if begun is None or not is_own(repo, stored, begun) else begun.tree,
        copy_paths=tuple(absolute(path, base=project.root) for path in stored.task.copy_paths),
        round=stored.task.round,
        fate=fate,
        lease_lock=lock.descriptor,
        before=(*before, *alone),
        had=stored.lease,
    )
    prepared = prepare_queued(project, repo, spec, queued, launch)
    if begun is not None:
        gone = tuple(each.id for each in before_it(project, repo, spec))
        prepared = replace(prepared, under=replace(prepared.under, supersedes=gone))
        launch.reporter.emit(Notice(text=f"goes on with '{stored.name}' from checkpoint {begun.number}"))
    if lost is not None and before:
        write_record(project.root, lost)
    return Taken(stored=stored, prepared=prepared)


def _not_at_a_remote(task_id: str) -> tuple[RefUpdate, ...]:
    """Returns what makes a transaction fail if a task was, or is just being, sent to where others take it."""
    return tuple(RefUpdate(ref=ref, new=None, old=None) for ref in (sending_ref(task_id), sent_ref(task_id)))


def run_taken(taken: Taken) -> Ran:
    """Carries out a task: its experiment comes to be and the task goes in one transaction.

    Raises:
        OffbranchError: It failed: the attempt is recorded.
        Interrupted: It was stopped: likewise; what becomes of the task is said by its fate.
    """
    options: RunOptions = taken.stored.task.options
    if taken.stored.is_shared and remote_names(taken.prepared.under.project.config):
        # What it needs may be nowhere on this machine yet.
        options = replace(options, execute=replace(options.execute, pull=True))
    return run_prepared(taken.prepared, options)
