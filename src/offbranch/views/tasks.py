"""What was queued or tried, as rows of `exp show`: one row for one task, whatever was tried and lost for it.

A task that waits, or runs on another machine, is shown with its parameters and no metrics, for what its files hold was measured
before; one that runs here or has failed as the last attempt at it; one that has become an experiment as that.
"""

from typing import Any

from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.experiments.experiment import Attempt, AttemptState, Where
from offbranch.experiments.leases import is_carried_out
from offbranch.experiments.peer_signals import has_peer_queue
from offbranch.git.ids import CommitId
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.history import read_history
from offbranch.queue.standing import Around, places_of, task_statuses
from offbranch.queue.status import QUEUED, TaskStatus
from offbranch.queue.workers import list_workers
from offbranch.views.rows import Rows
from offbranch.views.table import State

# Loaded where DVC has ever queued anything.
PEERS = "offbranch.views.peer_tasks:peers_to_show"


@record
class Tried:
    """An attempt that is shown.

    Attributes:
        is_running: It goes on at this moment.
        task: What it is the last attempt at; None for a run that was not queued.
    """

    attempt: Attempt
    is_running: bool
    task: TaskStatus | None = None

    @property
    def baseline(self) -> CommitId:
        """The commit it started from."""
        return self.attempt.baseline


@record
class Unfinished:
    """What has not become an experiment, by its baseline.

    Attributes:
        peers: Tasks of DVC's queue, in whatever state.
    """

    tried: dict[CommitId, list[Tried]]
    waiting: dict[CommitId, list[TaskStatus]]
    peers: dict[CommitId, list[Any]]

    @property
    def baselines(self) -> frozenset[CommitId]:
        """Every baseline of one of them."""
        return frozenset((*self.tried, *self.waiting, *self.peers))


def read_unfinished(project: Project, repo: GitRepo) -> Unfinished:
    """Returns the attempts and the tasks to show."""
    root = project.root
    history = read_history(repo, root)
    around = Around(places=places_of(list_workers(root)), goes_on=lambda attempt: is_carried_out(root, attempt))
    tried: dict[CommitId, list[Tried]] = {}
    waiting: dict[CommitId, list[TaskStatus]] = {}
    for task in task_statuses(history, around):
        if task.state == QUEUED or task.elsewhere is not None:
            if not task.problem:
                waiting.setdefault(CommitId(task.baseline), []).append(task)
        elif task.experiment is None and task.last is not None:
            shown = Tried(attempt=task.last, is_running=task.standing is not None, task=task)
            tried.setdefault(shown.baseline, []).append(shown)
    for attempt in history.attempts:
        if attempt.task_id is None:
            shown = Tried(attempt=attempt, is_running=attempt.true_state is AttemptState.RUNNING)
            tried.setdefault(shown.baseline, []).append(shown)
    return Unfinished(tried=tried, waiting=waiting, peers=_peers(project))


def _peers(project: Project) -> dict[CommitId, list[Any]]:
    found: dict[CommitId, list[Any]] = {}
    if has_peer_queue(project.root):
        for peer in load(PEERS)(project):
            found.setdefault(peer.baseline, []).append(peer)
    return found


def task_range(rows: Rows, task: TaskStatus) -> State:
    """Returns the state of a task that waits, or runs elsewhere, whose commit was loaded."""
    assert task.rev is not None
    shown = rows.state(task.rev, task.name, unmeasured=True)
    executor = {
        "state": task.state,
        "name": Where.QUEUE.value,
        "local": {"root": None, "log": None, "pid": None, "returncode": None, "task_id": task.rev},
        "queue_id": task.id,
        **about_task(task),
    }
    return {"revs": [shown], "executor": executor, "name": task.name}


def about_task(task: TaskStatus) -> dict[str, Any]:
    """Returns what the executor of a task says beyond what DVC says."""
    return {
        "is_held": task.is_held,
        "priority": task.about.get("priority"),
        "n_attempts": len(task.attempts),
        "n_lost": task.n_lost,
        "host": None if task.elsewhere is None else task.elsewhere.host or None,
        "note": task.place if task.elsewhere is not None else task.cause or None,
    }
