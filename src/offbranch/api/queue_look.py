"""Looking at the queue: its status, once and as it changes, and waiting for its end.

Nothing here takes a lock or changes a task.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from offbranch.api.queue_news import News, bring_news
from offbranch.api.session import Session, need_git, opened
from offbranch.base.events import Warned
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.history import read_records
from offbranch.queue.slurm.place import has_submissions
from offbranch.queue.status import QUEUED, RUNNING, SUCCEEDED, QueueStatus, TaskStatus, choose_tasks, find_tasks
from offbranch.queue.whole import read_queue
from offbranch.queue.workers import WorkerKind

# What reads pipelines; loaded only where something runs, or its metrics are asked for.
PARTS: Final = {
    "live": "offbranch.views.queue_metrics:LiveMetrics",
    "failed": "offbranch.views.queue_metrics:metrics_of_failed",
    "remember": "offbranch.queue.pulse:remember",
    "slurm": "offbranch.api.queue_slurm:with_jobs",
    "wait": "offbranch.queue.pulse:wait_for_change",
}

# How a job stands that will not carry out its task any more.
_OVER = ("ended", "lost")


@record
class QueueView:
    """The queue as it was at one moment.

    Attributes:
        status: All of it.
        tasks: Those that were asked for, in its order.
        metrics: What they have measured, by the id of the task: path -> `{"data": …}` or `{"error": …}`.
    """

    status: QueueStatus
    tasks: tuple[TaskStatus, ...]
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]


@record
class Waited:
    """What has become of the tasks that were waited for.

    Attributes:
        tasks: In the order of `ob queue status`.
        removed: Names of those that were taken out of the queue meanwhile.
        has_timed_out: Some have not ended.
    """

    tasks: tuple[TaskStatus, ...]
    removed: tuple[str, ...] = ()
    has_timed_out: bool = False

    @property
    def all_succeeded(self) -> bool:
        """Whether every one of them has become an experiment."""
        return not self.removed and all(task.state == SUCCEEDED for task in self.tasks)


def queue_status(
    names: Sequence[str], session: Session, *, in_full: bool = False, is_offline: bool = False
) -> QueueView:
    """Returns the tasks of the queue, also those that have ended.

    Args:
        names: Names, ids, commits or patterns of tasks; all where there are none.
        session: Where.
        in_full: Also what is not in the table: the metrics of failed tasks, and the whole records of those that have ended.
        is_offline: Of a queue that other machines share, only what is known here is shown.

    Raises:
        NotFoundError: A name stands for no task.
        NoProjectError: There is no project, or no Git repository around it.
    """
    bring_news(session, is_offline=is_offline)
    with opened(session) as project:
        repo = need_git(project)
        status = _read(project, repo)
        tasks = choose_tasks(status, names)
        metrics = _live(project, status)
        if in_full:
            tasks = _with_records(repo, project.root, tasks)
            if any(task.has_ended and task.experiment is None for task in tasks):
                metrics |= load(PARTS["failed"])(project, repo, tasks)
        return QueueView(status=status, tasks=tasks, metrics=metrics)


def watch_queue(
    names: Sequence[str],
    session: Session,
    *,
    is_offline: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[QueueView]:
    """Yields the queue, and again whenever it looks different; does not end by itself.

    Args:
        names: As of `queue_status`; what stands for nothing later is left out, not refused.
        session: Where.
        is_offline: As of `queue_status`.
        sleep: Waits.

    Raises:
        NotFoundError: A name stands for no task at the beginning.
    """
    news = News(session, is_offline=is_offline)
    with opened(session) as project:
        repo = need_git(project)
        live, remember, wait = load(PARTS["live"])(project), load(PARTS["remember"]), load(PARTS["wait"])
        last: QueueView | None = None
        while True:
            news.bring()
            began_ns = time.time_ns()
            status = _read(project, repo)
            tasks = choose_tasks(status, names) if last is None else _still(status, names)
            view = QueueView(status=status, tasks=tasks, metrics=live.read(status))
            if view != last:
                yield view
                last = view
            seen = remember(repo, project.root, status, live.files(), began_ns=began_ns)
            wait(repo, project.root, seen, until=news.next_s, sleep=sleep)


def queue_wait(
    names: Sequence[str],
    session: Session,
    *,
    timeout_s: float | None = None,
    warns: bool = True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Waited:
    """Waits until tasks have ended; costs next to nothing meanwhile.

    Args:
        names: As of `queue_status`, but of several tasks of one name the newest is meant. Without names everything that
            `queue_status` returns is waited for, what is queued meanwhile too; only what is held is left out.
        session: Where.
        timeout_s: Gives up after so many seconds.
        warns: Tells of what will not end by itself; once.
        clock: Seconds, monotonic.
        sleep: Waits.

    Raises:
        NotFoundError: A name stands for no task.
    """
    until = None if timeout_s is None else clock() + timeout_s
    told, doubtful = set[str](), set[str]()
    news = News(session, clock=clock)
    with opened(session) as project:
        repo = need_git(project)
        news.bring()
        began_ns = time.time_ns()
        status = _read(project, repo)
        known = {task.id: task.name for task in _newest(status, names)} if names else None
        if warns:
            waited = _waited(status, known)
            _warn_of_idleness(waited.tasks, status, session)
            _warn_of_held(waited.tasks, session)
        while True:
            waited = _waited(status, known)
            if warns:
                _warn_of_lost_jobs(status, waited.tasks, told, doubtful, session)
            is_over = not any(_is_awaited(task) for task in waited.tasks)
            if is_over or (until is not None and clock() >= until):
                return Waited(tasks=waited.tasks, removed=waited.removed, has_timed_out=not is_over)
            _wait(project, repo, status, began_ns, _earlier(until, news.next_s), clock, sleep)
            news.bring()
            began_ns = time.time_ns()
            status = _read(project, repo)


def _read(project: Project, repo: GitRepo) -> QueueStatus:
    status = read_queue(project, repo)
    if not has_submissions(project.root):
        return status
    found: QueueStatus = load(PARTS["slurm"])(project, status)
    return found


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _wait(
    project: Project,
    repo: GitRepo,
    status: QueueStatus,
    began_ns: int,
    until: float | None,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    seen = load(PARTS["remember"])(repo, project.root, status, (), began_ns=began_ns)
    load(PARTS["wait"])(repo, project.root, seen, until=until, clock=clock, sleep=sleep)


def _live(project: Project, status: QueueStatus) -> dict[str, Any]:
    if not any(task.state == RUNNING for task in status.tasks):
        return {}
    found: dict[str, Any] = load(PARTS["live"])(project).read(status)
    return found


def _with_records(repo: GitRepo, root: AbsPath, tasks: Sequence[TaskStatus]) -> tuple[TaskStatus, ...]:
    records = read_records(repo, root, {task.rev for task in tasks if task.has_ended and task.rev is not None})
    return tuple(
        replace(task, about=records[task.rev]) if task.has_ended and task.rev in records else task for task in tasks
    )


def _still(status: QueueStatus, names: Sequence[str]) -> tuple[TaskStatus, ...]:
    wanted = {task.id for name in names for task in find_tasks(status.tasks, name)}
    return tuple(task for task in status.tasks if not names or task.id in wanted)


def _newest(status: QueueStatus, names: Sequence[str]) -> tuple[TaskStatus, ...]:
    """Returns what is waited for: of tasks of one name, the newest."""
    newest: dict[str, TaskStatus] = {}
    for task in choose_tasks(status, names):
        if task.id in names or task.name not in newest or newest[task.name].id < task.id:
            newest[task.id if task.id in names else task.name] = task
    return tuple(newest.values())


def _waited(status: QueueStatus, known: Mapping[str, str] | None) -> Waited:
    if known is None:
        return Waited(tasks=tuple(task for task in status.tasks if not (task.is_held or task.problem)))
    there = {task.id for task in status.tasks}
    return Waited(
        tasks=tuple(task for task in status.tasks if task.id in known),
        removed=tuple(name for task_id, name in known.items() if task_id not in there),
    )


def _warn_of_idleness(awaited: Sequence[TaskStatus], status: QueueStatus, session: Session) -> None:
    waits = any(_waits_for_a_worker(task) for task in awaited)
    if any(task.state == RUNNING for task in status.tasks):
        return
    if waits and not status.workers:
        session.reporter.emit(Warned(text="no worker runs what is queued", hint="ob queue start"))
    peer = next((task for task in awaited if task.peer is not None and task.state == QUEUED), None)
    if peer is not None:
        text = f"'{peer.name}' waits in DVC's queue, and none of its tasks runs"
        session.reporter.emit(Warned(text=text, hint=f"dvc queue start; or make it ours: ob queue import {peer.name}"))


def _waits_for_a_worker(task: TaskStatus) -> bool:
    is_elsewhere = task.is_shared or task.peer is not None or task.job is not None
    return task.state == QUEUED and not (task.is_held or is_elsewhere)


def _warn_of_lost_jobs(
    status: QueueStatus, awaited: Sequence[TaskStatus], told: set[str], doubtful: set[str], session: Session
) -> None:
    """Says of tasks whose jobs came to nothing that nobody will run them, once of each job, unless a worker does."""
    if any(worker.kind is not WorkerKind.SLURM for worker in status.workers):
        return
    for task in awaited:
        job = task.job
        if job is None or job.id in told or task.is_held or task.state != QUEUED or job.state not in _OVER:
            continue
        if not job.cause and job.id not in doubtful:  # the task may have ended while we looked
            doubtful.add(job.id)
            continue
        told.add(job.id)
        why = f": {job.cause}" if job.cause else ""
        text = f"'{task.name}' waits, but its job {job.id} in SLURM is over{why}"
        session.reporter.emit(Warned(text=text, hint="ob queue start --slurm"))


def _warn_of_held(awaited: Sequence[TaskStatus], session: Session) -> None:
    for task in awaited:
        if task.is_held:
            session.reporter.emit(Warned(text=f"'{task.name}' is held", hint=f"ob queue release {task.name}"))


def _is_awaited(task: TaskStatus) -> bool:
    # What cannot be read will never run.
    return not (task.has_ended or task.problem)
