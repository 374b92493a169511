"""What exchanging tasks and results with a shared queue came to, as records; and whether a clone may share one at all."""

import os

from offbranch.base.environ import Environment
from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.records import field, record
from offbranch.experiments.experiment import Attempt, Experiment
from offbranch.git.repository import GitRepo
from offbranch.queue.task import StoredTask

# Of `.git/config`, where a clone is told where its queue is.
SECTION = "offbranch"


@record
class Unsent:
    """A task that could not be sent, and why."""

    stored: StoredTask
    error: OffbranchError


@record
class Results:
    """What has come.

    Attributes:
        experiments: Of tasks that have ended elsewhere.
        attempts: That did not become one, newest first.
        ended: Ids of all tasks that have left the queue, those that somebody removed among them.
    """

    experiments: tuple[Experiment, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    ended: tuple[str, ...] = ()


@record
class SyncReport:
    """What `ob queue sync` came to.

    Attributes:
        sent: Tasks that are at the Git remote by it.
        unsent: Tasks that stay here, and why.
        brought: Ids of tasks that others have queued or changed.
        results: What has come.
        n_waiting: Tasks that wait at the Git remote; held ones are not counted.
        n_running: Tasks that a worker has.
        n_announced: Messages that were sent.
        error: Why the broker could not be told; the rest is done.
    """

    sent: tuple[StoredTask, ...] = ()
    unsent: tuple[Unsent, ...] = ()
    brought: tuple[str, ...] = ()
    results: Results = field(default_factory=Results)
    n_waiting: int = 0
    n_running: int = 0
    n_announced: int = 0
    error: RemoteError | None = None


def may_share(repo: GitRepo, environment: Environment) -> bool:
    """Tells, without a process, whether a clone may share its queue; that it does is said by its configuration."""
    if environment.broker is not None:
        return True
    try:
        with open(os.path.join(repo.common_dir, "config"), "rb") as file:
            text = file.read().lower()
    except OSError:
        return True
    return SECTION.encode() in text or b"[include" in text
