"""The workers that live: who they are and what each of their slots carries out (docs/formats/locks-and-private-files.md).

A worker lives as long as its lock is held; what it says of itself is only believed until then.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from offbranch.base.locks import is_locked
from offbranch.base.paths import AbsPath, join
from offbranch.base.records import record
from offbranch.experiments.leases import QUEUE_DIR

WORKERS_DIR = f"{QUEUE_DIR}/workers"


@record
class WorkerSlot:
    """One place for a task.

    Attributes:
        label: What its commands find as OFFBRANCH_SLOT.
        gpus: Those that belong to it.
        task_id: What is carried out there; None if nothing is.
    """

    number: int
    label: str
    gpus: tuple[str, ...] = ()
    task_id: str | None = None


@record
class Worker:
    """A process that carries tasks out.

    Attributes:
        kind: `background`, `foreground`, `slurm` or `celery`.
        is_stopping: It takes no other task.
        log: Where it writes what it has to say, relative to the project; None if nowhere.
    """

    id: str
    kind: str
    pid: int
    host: str
    started_utc: float
    slots: tuple[WorkerSlot, ...] = ()
    is_stopping: bool = False
    log: str | None = None


def read_workers(root: AbsPath) -> tuple[Worker, ...]:
    """Returns the workers that live, in the order of their ids; a record that cannot be read is left out."""
    directory = join(root, WORKERS_DIR)
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return ()
    found: list[Worker] = []
    for name in names:
        if name.endswith(".json") and _is_held(AbsPath(os.path.join(directory, f"{name[:-5]}.lock"))):
            try:
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    found.append(_worker(json.load(file)))
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return tuple(found)


def _is_held(path: AbsPath) -> bool:
    try:
        return is_locked(path)
    except OSError:  # of another user: it may live
        return True


def _worker(data: Mapping[str, Any]) -> Worker:
    process = data["process"]
    return Worker(
        id=str(data["id"]),
        kind=str(data.get("kind", "background")),
        pid=int(process["pid"]),
        host=str(process["host"]),
        started_utc=float(data["started_utc"]),
        slots=tuple(
            WorkerSlot(
                number=int(slot["number"]),
                label=str(slot["label"]),
                gpus=tuple(map(str, slot.get("gpus", ()))),
                task_id=None if slot.get("task_id") is None else str(slot["task_id"]),
            )
            for slot in data.get("slots", ())
        ),
        is_stopping=bool(data.get("stopping", False)),
        log=None if data.get("log") is None else str(data["log"]),
    )
