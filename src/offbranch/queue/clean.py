"""Removing what workers leave behind and nobody needs any more: control messages of DVC's, lock files and wishes of ours.

Nothing here is more than a trace. What belongs to a worker or a task that lives is left alone.
"""

import os
import time
from collections.abc import Iterator

from offbranch.base.files import remove_file
from offbranch.base.locks import is_locked
from offbranch.base.paths import AbsPath, join
from offbranch.base.records import record
from offbranch.experiments.leases import QUEUE_DIR
from offbranch.experiments.refs import TASKS
from offbranch.git.refs import list_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.peer.tasks import TAKEN_DIR, WAITING_DIR

# Workers answer within a second; what lies there longer was meant for one that is gone.
_UNHEARD_S = 60.0
_WORKER_FILES = (".json", ".lock", ".stop")


@record
class Cleaned:
    """What was removed, or would be.

    Attributes:
        messages: Control messages of DVC's workers.
        files: Of ours: locks and wishes of tasks that are gone, and the files of workers that are gone.
    """

    messages: tuple[AbsPath, ...] = ()
    files: tuple[AbsPath, ...] = ()


def clean_queue(project: Project, repo: GitRepo, *, dry: bool = False) -> Cleaned:
    """Removes such files; returns which.

    Args:
        project: Whose.
        repo: Tells which tasks there are.
        dry: Removes nothing.
    """
    found = Cleaned(
        messages=tuple(_messages(project.root, time.time())), files=tuple(sorted(_stale_files(project.root, repo)))
    )
    if not dry:
        for path in (*found.messages, *found.files):
            remove_file(path)
    return found


def _messages(root: AbsPath, now_utc: float) -> Iterator[AbsPath]:
    for directory in (TAKEN_DIR, WAITING_DIR):
        for name in _names(root, directory):
            path = join(root, f"{directory}/{name}")
            if name.endswith(".pidbox.msg") and (directory == TAKEN_DIR or now_utc - _modified(path) > _UNHEARD_S):
                yield path


def _stale_files(root: AbsPath, repo: GitRepo) -> Iterator[AbsPath]:
    tasks = {ref.removeprefix(TASKS) for ref, _ in list_refs(repo, TASKS)}
    for kind, suffix in (("leases", ".lock"), ("requests", ".json")):
        for name in _names(root, f"{QUEUE_DIR}/{kind}"):
            path = join(root, f"{QUEUE_DIR}/{kind}/{name}")
            if name.removesuffix(suffix) not in tasks and not (suffix == ".lock" and is_locked(path)):
                yield path
    for name in _names(root, f"{QUEUE_DIR}/workers"):
        stem, suffix = os.path.splitext(name)
        lock = join(root, f"{QUEUE_DIR}/workers/{stem}.lock")
        if suffix in _WORKER_FILES and os.path.exists(lock) and not is_locked(lock):
            yield join(root, f"{QUEUE_DIR}/workers/{name}")


def _names(root: AbsPath, directory: str) -> list[str]:
    try:
        return sorted(os.listdir(join(root, directory)))
    except OSError:
        return []


def _modified(path: AbsPath) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return time.time()
