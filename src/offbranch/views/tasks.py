"""Queued tasks as rows of `exp show`: their parameters, and no metrics, for what their files hold was measured before."""

from collections.abc import Sequence

from offbranch.base.paths import AbsPath
from offbranch.experiments.experiment import Attempt, Where
from offbranch.git.ids import CommitId
from offbranch.git.repository import GitRepo
from offbranch.queue.store import read_tasks
from offbranch.queue.task import StoredTask
from offbranch.views.rows import Rows
from offbranch.views.table import State


def queued_by_baseline(repo: GitRepo, root: AbsPath, attempts: Sequence[Attempt]) -> dict[CommitId, list[StoredTask]]:
    """Returns what waits in the queue, by baseline; what runs is shown as the attempt that it is."""
    groups: dict[CommitId, list[StoredTask]] = {}
    for task in read_tasks(repo, root, attempts=attempts).queued:
        groups.setdefault(task.task.spec.baseline, []).append(task)
    return groups


def task_range(rows: Rows, stored: StoredTask) -> State:
    """Returns the state of a queued task, whose commit was loaded."""
    shown = rows.state(stored.commit, stored.name)
    if shown["data"] is not None:
        shown["data"] = {**shown["data"], "metrics": {}}
    executor = {
        "state": "queued",
        "name": Where.QUEUE.value,
        "local": {"root": None, "log": None, "pid": None, "returncode": None, "task_id": stored.commit},
        "queue_id": stored.task.id,
    }
    return {"revs": [shown], "executor": executor, "name": stored.name}
