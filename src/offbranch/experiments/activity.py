"""Who works on a project at this moment without holding its lock: runs in temporary copies, stages and workers of DVC."""

import json
import os
from collections.abc import Iterator
from typing import Any

from offbranch.base.errors import LockedError
from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import command_of, is_alive, start_time
from offbranch.experiments.attempts import read_records
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.leases import is_carried_out
from offbranch.project import Project

_EXPS = ".dvc/tmp/exps"


def refuse_while_active(
    project: Project, reason: str = "what it makes could not be told from what nobody uses"
) -> None:
    """Makes sure that nobody makes data in a project. To be called while its locks are held, so that nobody begins.

    Raises:
        LockedError: Somebody does; the message says who.
    """
    for who in active(project):
        raise LockedError(
            f"'{project.root}' is in use: {who}",
            hint=f"wait until it has finished: {reason}",
        )


def active(project: Project) -> Iterator[str]:
    """Yields who works on a project."""
    for attempt in read_records(project.root):
        if attempt.state is AttemptState.RUNNING and _goes_on(project, attempt):
            yield f"the experiment '{attempt.name}' runs (process {attempt.process.pid})"
    yield from active_of_dvc(project)


def active_of_dvc(project: Project) -> Iterator[str]:
    """Yields which processes of DVC work on a project."""
    runs = join(project.root, f"{_EXPS}/run")
    for name in _names(runs):
        info = _json(os.path.join(runs, name, f"{name}.json"))
        if isinstance(info, dict) and info.get("returncode") is None and _lives(info.get("pid")):
            yield f"DVC runs the task {name[:7]} (process {info['pid']})"
    workers = join(project.root, f"{_EXPS}/celery")
    for name in _names(workers):
        if name.endswith(".pid") and (pid := _number(os.path.join(workers, name))) is not None and _lives(pid):
            yield f"a worker of DVC's queue waits for tasks (process {pid}; 'dvc queue stop' ends it)"
    for file in (".dvc/tmp/rwlock", f"{_EXPS}/rwlock"):
        for pid, command in _entries(_json(join(project.root, file))):
            if _lives(pid):
                yield f"process {pid} ({command})"


def _goes_on(project: Project, attempt: Attempt) -> bool:
    """Tells whether an attempt goes on; that at a queued task also while a command does that it has left behind."""
    if attempt.task_id is not None:
        return is_carried_out(project.root, attempt)
    return is_alive(attempt.process)


def _entries(table: Any) -> Iterator[tuple[Any, str]]:
    if not isinstance(table, dict):
        return
    for side in table.values():
        for found in side.values() if isinstance(side, dict) else ():
            for info in found if isinstance(found, list) else [found]:
                if isinstance(info, dict):
                    yield info.get("pid"), str(info.get("cmd", ""))


def _lives(pid: Any) -> bool:
    """Tells whether a process id is that of a running `dvc` or `ob`; where command lines cannot be seen, of any process."""
    if not isinstance(pid, int) or pid == os.getpid() or start_time(pid) is None:
        return False
    command = command_of(pid)
    return not command or any(word in command for word in ("dvc", "offbranch", "ob ", "celery", "python"))


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _number(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().strip())
    except (OSError, ValueError):
        return None


def _json(path: AbsPath | str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None
