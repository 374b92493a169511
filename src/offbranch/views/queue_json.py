"""The queue as JSON: what `ob queue status --json`, `--watch --json` and `ob queue wait --json` print."""

from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.base.records import as_dict
from offbranch.experiments.experiment import Attempt
from offbranch.queue.status import Elsewhere, PeerRun, QueueStatus, TaskStatus, was_lost
from offbranch.queue.workers import Worker

Metrics = Mapping[str, Mapping[str, Any]]
_LOST = "lost"


def status_to_json(
    status: QueueStatus, tasks: Sequence[TaskStatus], metrics: Mapping[str, Metrics] | None = None
) -> dict[str, Any]:
    """Returns the queue.

    Args:
        status: The queue.
        tasks: Those of it that are shown.
        metrics: What running and failed tasks have measured, by their ids.
    """
    found = metrics or {}
    return {
        "tasks": [task_to_json(task, found.get(task.id)) for task in tasks],
        "workers": [_worker(worker) for worker in status.workers],
        "n_active": status.n_active,
        "n_idle": status.n_idle,
    }


def task_to_json(task: TaskStatus, metrics: Metrics | None = None) -> dict[str, Any]:
    """Returns one task; times are seconds since the epoch, UTC. What is not known any more is null."""
    about, peer, there = task.about, task.peer or PeerRun(), task.elsewhere or Elsewhere()
    last = None if task.elsewhere is not None else task.last
    process = last.process if last is not None and task.standing is not None else None
    return {
        "id": task.id,
        "name": task.name,
        "rev": task.rev,
        "baseline": task.baseline or None,
        "owner": "ob" if task.peer is None else "dvc",
        "state": task.state,
        "is_held": task.is_held,
        "is_shared": task.is_shared,
        "priority": about.get("priority"),
        "overrides": about.get("overrides"),
        "timeout_s": about.get("timeout_s"),
        "retries": about.get("retries"),
        "round": about.get("round"),
        "resources": about.get("resources"),
        "created_utc": task.created_utc,
        "started_utc": there.since_utc if last is None else last.started_utc,
        "ended_utc": _ended(task),
        "exit_code": peer.exit_code if last is None else last.exit_code,
        "cause": task.cause or None,
        "n_failed": task.n_failed,
        "n_lost": task.n_lost,
        "worker": None if task.standing is None else task.standing.worker,
        "slot": None if task.standing is None else task.standing.slot,
        "is_elsewhere": task.elsewhere is not None,
        "is_orphan": task.standing is not None and task.standing.is_orphan,
        "pid": peer.pid or there.pid if process is None else process.pid,
        "host": there.host or None if process is None else process.host,
        "log": peer.log if last is None else last.log,
        "attempt_id": None if last is None else last.id,
        "attempts": [_attempt(task, n, each) for n, each in enumerate(reversed(task.attempts), 1)],
        "experiment": task.experiment,
        "n_checkpoints": 0 if last is None else last.checkpoints,
        "job": None if task.job is None else as_dict(task.job),
        "metrics": metrics,
    }


def _ended(task: TaskStatus) -> float | None:
    if not task.has_ended:
        return None
    return task.made_utc if task.last is None else task.last.ended_utc


def _attempt(task: TaskStatus, number: int, attempt: Attempt) -> dict[str, Any]:
    is_now = attempt is task.last and task.standing is not None
    return {
        "number": number,
        "id": attempt.id,
        "round": attempt.task_round,
        "state": _LOST if was_lost(attempt) and not is_now else attempt.state.value,
        "cause": attempt.cause or None,
        "exit_code": attempt.exit_code,
        "started_utc": attempt.started_utc,
        "ended_utc": attempt.ended_utc,
        "log": attempt.log,
    }


def _worker(worker: Worker) -> dict[str, Any]:
    slots = [{**as_dict(slot), "gpus": list(slot.gpus)} for slot in worker.slots]
    return {
        "id": worker.id,
        "kind": worker.kind.value,
        "pid": worker.process.pid,
        "host": worker.process.host,
        "started_utc": worker.started_utc,
        "is_stopping": worker.stopping,
        "log": worker.log,
        "slots": slots,
    }
