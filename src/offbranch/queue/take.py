"""Taking the next task: from what waits in Git to a prepared run, the same as that of `ob exp run --temp`.

To be called while the project is held, so that no two take the same task. The ref of the task stays until its run has ended: a
worker that dies leaves a task that is still queued, and its attempt, which is recorded as interrupted.
"""

from offbranch.base.paths import absolute
from offbranch.base.records import record
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.run import RunOptions
from offbranch.experiments.temporary_run import Prepared, QueuedFiles, prepare_queued, run_prepared
from offbranch.experiments.underway import Launch, Ran
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.task import StoredTask


@record
class Taken:
    """A task in the hands of this process; carrying it out needs no lock of the project."""

    stored: StoredTask
    prepared: Prepared

    @property
    def attempt(self) -> Attempt:
        """The record of this run of it."""
        return self.prepared.under.attempt


def take_task(project: Project, repo: GitRepo, stored: StoredTask, launch: Launch) -> Taken:
    """Makes a task ours: its attempt is recorded, and from now on it counts as running.

    Raises:
        ConflictError: It is not in the queue any more.
    """
    queued = QueuedFiles(
        id=stored.task.id,
        ref=stored.ref,
        commit=stored.commit,
        tree=stored.tree,
        copy_paths=tuple(absolute(path, base=project.root) for path in stored.task.copy_paths),
    )
    return Taken(stored=stored, prepared=prepare_queued(project, repo, stored.task.spec, queued, launch))


def run_taken(taken: Taken) -> Ran:
    """Carries out a task: its experiment comes to be and the task goes in one transaction.

    Raises:
        OffbranchError: It failed: the attempt is recorded, and the task gone.
        Interrupted: It was stopped: the attempt is recorded, and the task waits again.
    """
    options: RunOptions = taken.stored.task.options
    return run_prepared(taken.prepared, options)
