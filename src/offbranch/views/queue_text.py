"""The queue as text: the table of `ob queue status`, lines of what changes, and one line for each end of a task."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from offbranch.queue.status import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, QueueStatus, TaskStatus
from offbranch.views.cells import DEFAULT_PRECISION, created_text, local_time, value_text
from offbranch.views.text import aligned

Metrics = Mapping[str, Mapping[str, Any]]
_WORDS = {QUEUED: "Queued", RUNNING: "Running", SUCCEEDED: "Success", FAILED: "Failed", CANCELLED: "Failed"}
_MAX_CAUSE = 100
_MAX_METRICS = 4


def state_word(task: TaskStatus) -> str:
    """Returns the state of a task in a word, as DVC calls it where DVC has one."""
    return "Held" if task.is_held else _WORDS[task.state]


def status_lines(
    status: QueueStatus, tasks: Sequence[TaskStatus], metrics: Mapping[str, Metrics], *, now_s: float
) -> list[str]:
    """Returns the lines of `ob queue status`: the head, one for each task, an empty one, the workers.

    Args:
        status: The queue.
        tasks: Those of it that are shown.
        metrics: What running tasks have measured so far, by their ids.
        now_s: The present moment, seconds since 1970 UTC.
    """
    workers = f"Worker status: {status.n_active} active, {status.n_idle} idle"
    if not tasks:
        return ["No experiment tasks in the queue.", "", workers]
    columns = _columns(tasks, metrics, now_s)
    rows = [list(columns), *(list(row) for row in zip(*columns.values(), strict=True))]
    return [*aligned(rows), "", workers]


def _columns(tasks: Sequence[TaskStatus], metrics: Mapping[str, Metrics], now_s: float) -> dict[str, Sequence[str]]:
    columns: dict[str, Sequence[str]] = {
        "Task": [(task.rev or task.experiment or "")[:7] for task in tasks],
        "Name": [task.name for task in tasks],
        "Created": [_created(task, now_s) for task in tasks],
        "Status": [state_word(task) for task in tasks],
    }
    priorities = [task.about.get("priority", 0) if task.state == QUEUED else 0 for task in tasks]
    more = {
        "Queue": ["" if task.peer is None else "DVC" for task in tasks],
        "Checkpoints": [str(task.last.checkpoints or "") if task.last is not None else "" for task in tasks],
        "Priority": [str(priority) if priority else "" for priority in priorities],
        "Metrics": [_metrics(metrics.get(task.id, {})) for task in tasks],
        "Place": [_place(task, now_s) for task in tasks],
        "Cause": [cause_text(task) for task in tasks],
    }
    return {**columns, **{title: cells for title, cells in more.items() if any(cells)}}


def cause_text(task: TaskStatus) -> str:
    """Returns why a task stands as it does, short enough for a table."""
    cause = task.cause
    if task.state == CANCELLED and not cause.startswith("cancelled"):
        cause = f"cancelled: {cause}"
    cause = _printable(cause)
    return cause if len(cause) <= _MAX_CAUSE else f"{cause[: _MAX_CAUSE - 1]}…"


def task_line(task: TaskStatus, metrics: Metrics) -> str:
    """Returns one line about a task: its name, its state, and what there is to be known of it."""
    where = _printable(task.place) if task.elsewhere is not None else ""
    parts = [state_word(task), where, _metrics(metrics), cause_text(task)]
    return f"{task.name}: {'  '.join(part for part in parts if part)}"


def end_lines(tasks: Sequence[TaskStatus]) -> Iterator[str]:
    """Yields a line for each task that has not succeeded, with its cause."""
    for task in tasks:
        if task.state != SUCCEEDED:
            yield task_line(task, {})


def _created(task: TaskStatus, now_s: float) -> str:
    created = task.created_utc
    return "-" if created is None else created_text(local_time(created), now_s)


def _place(task: TaskStatus, now_s: float) -> str:
    since = None if task.elsewhere is None else task.elsewhere.since_utc
    more = "" if since is None else f" since {created_text(local_time(since), now_s)}"
    return _printable(task.place + more)


def _metrics(metrics: Metrics) -> str:
    """Returns a few metrics in one line: `acc=0.5 loss=0.1`."""
    pairs = [pair for entry in metrics.values() for pair in _pairs("", entry.get("data"))]
    more = ["…"] if len(pairs) > _MAX_METRICS else []
    shown = (f"{name}={value_text(value, DEFAULT_PRECISION)}" for name, value in pairs[:_MAX_METRICS])
    return _printable(" ".join([*shown, *more]))


def _pairs(prefix: str, data: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _pairs(f"{prefix}.{key}" if prefix else str(key), value)
    elif prefix:
        yield prefix, data


def _printable(text: str) -> str:
    """Returns a text that sends no codes to a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
