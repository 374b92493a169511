"""Workers as files below `.dvc/tmp/ob/queue/workers`: who is there, what each does, and the wish that one stop.

A worker is one process that supervises some slots. It is there as long as its lock is held, whatever its record says;
the record is a quick copy for who looks, written anew with each change (docs/formats/locks-and-private-files.md).
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any

from offbranch.base.files import atomic_write, remove_file
from offbranch.base.locks import hold_lock, is_locked
from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import ProcessInfo
from offbranch.base.records import as_dict, field, record, replace
from offbranch.experiments.leases import QUEUE_DIR

WORKERS_DIR = f"{QUEUE_DIR}/workers"
_VERSION = 1
_KEPT_LOGS = 10
_MOMENT_S = 2.0


class WorkerKind(Enum):
    """How a worker was started."""

    BACKGROUND = "background"
    FOREGROUND = "foreground"
    SLURM = "slurm"
    CELERY = "celery"


@record
class SlotUse:
    """A slot of a worker, and the task in it; None where there is none."""

    number: int
    label: str
    gpus: tuple[str, ...] = ()
    task_id: str | None = None
    attempt_id: str | None = None
    name: str | None = None
    pid: int | None = None


@record
class Worker:
    """What a worker says of itself.

    Attributes:
        id: Identity; begins with the time it was started.
        log: What it says, relative to the project; None where it says it to the terminal.
        stopping: Takes no more tasks.
        gpus: Those that it shares out among all its tasks; None if only tasks that ask for GPUs get any.
        unfit: Tasks that wait and that it can never run: id -> why.
    """

    id: str
    process: ProcessInfo
    started_utc: float
    kind: WorkerKind
    slots: tuple[SlotUse, ...] = ()
    log: str | None = None
    stopping: bool = False
    gpus: tuple[str, ...] | None = None
    unfit: Mapping[str, str] = field(default_factory=dict)


@record
class StopWish:
    """That a worker shall end: after what runs has ended, or at once."""

    kill: bool = False


def worker_log(worker_id: str) -> str:
    """Returns where a worker says what it does, relative to the project."""
    return f"{WORKERS_DIR}/{worker_id}.log"


@contextmanager
def registered(root: AbsPath, worker: Worker) -> Iterator[None]:
    """Makes a worker known for the length of a `with`; what dead ones left is tidied up."""
    with hold_lock(_path(root, worker.id, "lock"), wait_s=_MOMENT_S):
        _tidy(root)
        write_worker(root, worker)
        try:
            yield
        finally:
            for kind in ("json", "stop"):
                remove_file(_path(root, worker.id, kind))
    with suppress(OSError):
        remove_file(_path(root, worker.id, "lock"))


def write_worker(root: AbsPath, worker: Worker) -> None:
    """Writes what a worker does now; never fails, for a full disk is no reason to stop."""
    with suppress(OSError):
        atomic_write(_path(root, worker.id, "json"), json.dumps(_to_json(worker)).encode())


def list_workers(root: AbsPath) -> tuple[Worker, ...]:
    """Returns the workers that are there, oldest first."""
    found = []
    for worker_id in _ids(root, ".json"):
        worker = _read(root, worker_id)
        if worker is not None and is_locked(_path(root, worker_id, "lock")):
            found.append(worker)
    return tuple(sorted(found, key=lambda worker: (worker.started_utc, worker.id)))


def ask_to_stop(root: AbsPath, worker_id: str, wish: StopWish) -> None:
    """Leaves a worker the wish that it end."""
    atomic_write(_path(root, worker_id, "stop"), json.dumps(as_dict(wish)).encode())


def stop_wish(root: AbsPath, worker_id: str) -> StopWish | None:
    """Returns the wish that a worker end; None if there is none."""
    try:
        with open(_path(root, worker_id, "stop"), encoding="utf-8") as file:
            return StopWish(kill=bool(json.load(file).get("kill")))
    except (OSError, ValueError, AttributeError):
        return None


def why_unfit(workers: Iterable[Worker], task_id: str) -> str | None:
    """Returns why a task that waits can never run, if all workers that are there say so; None if one may run it."""
    reasons = [worker.unfit.get(task_id) for worker in workers if not worker.stopping]
    return reasons[0] if reasons and None not in reasons else None


def with_slot(worker: Worker, use: SlotUse) -> Worker:
    """Returns a worker with another use of one of its slots."""
    return replace(worker, slots=tuple(use if slot.number == use.number else slot for slot in worker.slots))


def _tidy(root: AbsPath) -> None:
    """Removes what killed workers left; the newest logs stay."""
    for worker_id in _ids(root, ".lock"):
        if not is_locked(_path(root, worker_id, "lock")):
            for kind in ("json", "stop", "lock"):
                remove_file(_path(root, worker_id, kind))
    for worker_id in sorted(_ids(root, ".log"))[:-_KEPT_LOGS]:
        if not is_locked(_path(root, worker_id, "lock")):
            remove_file(_path(root, worker_id, "log"))


def _ids(root: AbsPath, suffix: str) -> list[str]:
    try:
        names = os.listdir(join(root, WORKERS_DIR))
    except OSError:
        return []
    return [name.removesuffix(suffix) for name in names if name.endswith(suffix) and not name.startswith(".")]


def _path(root: AbsPath, worker_id: str, kind: str) -> AbsPath:
    return join(root, f"{WORKERS_DIR}/{worker_id}.{kind}")


def _to_json(worker: Worker) -> dict[str, Any]:
    slots = [as_dict(slot) for slot in worker.slots]
    data = {**as_dict(worker), "process": as_dict(worker.process), "kind": worker.kind.value, "slots": slots}
    return {"version": _VERSION, **data}


def _read(root: AbsPath, worker_id: str) -> Worker | None:
    try:
        with open(_path(root, worker_id, "json"), encoding="utf-8") as file:
            data = json.load(file)
        if data.pop("version") != _VERSION:
            return None
        slots = tuple(SlotUse(**{**slot, "gpus": tuple(slot["gpus"])}) for slot in data["slots"])
        data |= {"kind": WorkerKind(data["kind"]), "process": ProcessInfo(**data["process"]), "slots": slots}
        gpus = data.pop("gpus", None)
        return Worker(**data, gpus=None if gpus is None else tuple(gpus))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
