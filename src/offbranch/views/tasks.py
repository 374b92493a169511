"""Queued tasks as rows of `exp show`: their parameters, and no metrics, for what their files hold was measured before.

Those of DVC's queue are among them (`views/peer_tasks.py`), as long as it has one.
"""

from collections.abc import Sequence

from offbranch.base.plugins import load
from offbranch.experiments.experiment import Attempt, Where
from offbranch.experiments.peer_signals import has_peer_queue
from offbranch.git.ids import CommitId
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.peer import PeerTask
from offbranch.queue.store import read_tasks
from offbranch.queue.task import StoredTask
from offbranch.views.rows import Rows
from offbranch.views.table import State

_PEER = "offbranch.views.peer_tasks"


def queued_by_baseline(
    project: Project, repo: GitRepo, attempts: Sequence[Attempt]
) -> dict[CommitId, list[StoredTask | PeerTask]]:
    """Returns what waits in the queue, by baseline; what runs is shown as the attempt that it is.

    Of DVC's queue there is also what runs and what has failed, of which nothing else tells.
    """
    groups: dict[CommitId, list[StoredTask | PeerTask]] = {}
    for task in read_tasks(repo, project.root, attempts=attempts).queued:
        groups.setdefault(task.task.spec.baseline, []).append(task)
    if has_peer_queue(project.root):
        for peer in load(f"{_PEER}:peers_to_show")(project):
            groups.setdefault(peer.baseline, []).append(peer)
    return groups


def task_range(project: Project, rows: Rows, task: StoredTask | PeerTask) -> State:
    """Returns the state of a queued task, whose commit was loaded."""
    if isinstance(task, PeerTask):
        found: State = load(f"{_PEER}:peer_range")(project, rows, task)
        return found
    shown = rows.state(task.commit, task.name)
    if shown["data"] is not None:
        shown["data"] = {**shown["data"], "metrics": {}}
    executor = {
        "state": "queued",
        "name": Where.QUEUE.value,
        "local": {"root": None, "log": None, "pid": None, "returncode": None, "task_id": task.commit},
        "queue_id": task.task.id,
    }
    return {"revs": [shown], "executor": executor, "name": task.name}
