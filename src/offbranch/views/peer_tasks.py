"""Tasks of DVC's queue as rows of `exp show`: those that wait, run or have failed, as far as DVC's files tell."""

from offbranch.base.errors import OffbranchError
from offbranch.base.files import DirectoryReader
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.experiments.experiment import Where
from offbranch.experiments.revision import data_to_json, read_directory
from offbranch.experiments.revision_files import error_to_json
from offbranch.project import Project
from offbranch.queue.peer.tasks import PeerTask, peer_tasks
from offbranch.queue.task import TaskState
from offbranch.storage.ignore import load_ignore_rules
from offbranch.views.rows import Rows, local_time
from offbranch.views.table import State

# In place of nothing, so that who reads JSON can tell them from ours, which are run by `ob`.
OWNER = "dvc"
_FAILED = {"msg": "Experiment run failed", "type": ""}


def peers_to_show(project: Project) -> tuple[PeerTask, ...]:
    """Returns the tasks that no other row stands for: what succeeded has become an experiment."""
    return tuple(task for task in peer_tasks(project) if task.state is not TaskState.SUCCEEDED)


def peer_range(project: Project, rows: Rows, task: PeerTask) -> State:
    """Returns the state of a task of DVC, whose commit was loaded."""
    shown = rows.state(task.commit, task.name)
    if shown["data"] is not None:
        shown["data"] = {**shown["data"], "metrics": {}}
    if task.state is TaskState.RUNNING and task.root is not None:
        shown = _live(project, task, AbsPath(task.root)) or shown
    if task.state is TaskState.FAILED:
        shown["error"] = _FAILED
    executor = {
        "state": task.state.value,
        "name": Where.QUEUE.value,
        "local": {
            "root": task.root,
            "log": task.log,
            "pid": task.pid,
            "returncode": task.exit_code,
            "task_id": task.commit,
        },
        "owner": OWNER,
    }
    return {"revs": [shown], "executor": executor, "name": task.name}


def _live(project: Project, task: PeerTask, root: AbsPath) -> State | None:
    """Returns what the copy that it runs in holds now; None while that is still made, or is gone already."""
    reader = DirectoryReader(root)
    if not reader.is_dir(RepoPath(".dvc")):
        return None
    try:
        ignores = load_ignore_rules(root).ignores
        found = read_directory(reader, ignores=ignores, cache=project.cache, param_deps=False)
        data, error = data_to_json(found, rev=task.commit, timestamp=local_time(task.created_utc)), None
    except (OffbranchError, OSError) as failure:
        data, error = None, error_to_json(failure)
    return {"rev": task.commit, "name": task.name, "data": data, "error": error, "experiments": None}
