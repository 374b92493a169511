"""What exchanging tasks and results with a shared queue came to, as records."""

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.records import field, record
from offbranch.experiments.experiment import Attempt, Experiment
from offbranch.queue.task import StoredTask


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
