"""The whole queue of a project: our own tasks, and beside them those of DVC's queue where there is one."""

from typing import Any

from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.experiments.peer_signals import has_peer_queue
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.standing import list_order, read_status
from offbranch.queue.status import RUNNING, PeerRun, QueueStatus, Standing, TaskStatus

# Loaded where DVC has ever queued anything.
PEERS = "offbranch.queue.peer.tasks:peer_tasks"


def read_queue(project: Project, repo: GitRepo) -> QueueStatus:
    """Returns what the queue looks like; tasks of DVC, which `ob` only looks at, are among ours."""
    status = read_status(repo, project.root)
    if not has_peer_queue(project.root):
        return status
    peers = [_of_peer(task) for task in load(PEERS)(project)]
    return replace(status, tasks=tuple(sorted((*status.tasks, *peers), key=list_order)))


def _of_peer(task: Any) -> TaskStatus:
    state = task.state.value
    return TaskStatus(
        id=task.id,
        name=task.name,
        baseline=task.baseline,
        rev=task.commit,
        state=state,
        about={"created_utc": task.created_utc},
        standing=Standing() if state == RUNNING else None,
        peer=PeerRun(log=task.log, pid=task.pid, exit_code=task.exit_code),
    )
