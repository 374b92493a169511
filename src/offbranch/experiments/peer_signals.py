"""The files by which DVC and editors see that an experiment runs in the workspace, and whether DVC has a queue
(docs/formats/locks-and-private-files.md).

`.dvc/tmp/exps/run/workspace/workspace.{json,run}`: written when it starts, removed when it ends; a dead process id in
them makes readers ignore them.
"""

import json
import os

from offbranch.base.files import atomic_write, remove_tree
from offbranch.base.paths import AbsPath, join
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.project import Project

_DIR = ".dvc/tmp/exps/run/workspace"
_QUEUE = ".dvc/tmp/exps/celery/broker"
_RUNNING = 2


def has_peer_queue(root: AbsPath) -> bool:
    """Tells, without reading a file, whether DVC has ever queued anything here."""
    return os.path.isdir(join(root, _QUEUE))


def show_running(project: Project, spec: ExperimentSpec) -> None:
    """Tells that an experiment runs in the workspace, carried out by this process."""
    directory = join(project.root, _DIR)
    os.makedirs(directory, exist_ok=True)
    process = {"pid": os.getpid(), "stdin": None, "stdout": None, "stderr": None, "returncode": None}
    info = {
        "git_url": project.root,
        "baseline_rev": spec.baseline,
        "location": "workspace",
        "root_dir": project.root,
        "dvc_dir": ".dvc",
        "name": spec.name,
        "wdir": ".",
        "result_hash": None,
        "result_ref": None,
        "result_force": spec.force,
        "status": _RUNNING,
    }
    for suffix, data in (("json", process), ("run", info)):
        atomic_write(AbsPath(os.path.join(directory, f"workspace.{suffix}")), json.dumps(data).encode())


def clear_running(project: Project) -> None:
    """Takes the sign down."""
    remove_tree(join(project.root, _DIR))
