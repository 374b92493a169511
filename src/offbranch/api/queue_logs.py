"""The logs of experiments: of queued tasks and their attempts, and of every other attempt. Nothing here takes a lock."""

import os
import time
from collections.abc import Callable, Iterator

from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.events import Notice
from offbranch.base.paths import AbsPath, join
from offbranch.base.processes import host_name, is_alive
from offbranch.base.records import record
from offbranch.experiments.attempts import read_one, read_records
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.leases import BEAT_S, is_carried_out
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.history import read_attempts
from offbranch.queue.logs import follow_log, read_log
from offbranch.queue.pulse import remember, wait_for_change
from offbranch.queue.standing import read_status
from offbranch.queue.status import QUEUED, SUCCEEDED, QueueStatus, TaskStatus, find_tasks
from offbranch.queue.whole import read_queue


@record
class LogRequest:
    """What is asked for.

    Attributes:
        name: Name, id or commit of a task, or name or id of any attempt.
        number: The attempt, counted from 1; the last one where it is None.
        n_lines: Only so many lines of the end.
    """

    name: str
    number: int | None = None
    n_lines: int | None = None


@record
class FoundLog:
    """The log of one attempt.

    Attributes:
        path: Where it is.
        attempt: None for a task of DVC's queue.
        number: Which of the attempts it is, from 1.
        task_id: The task that it was an attempt at; None for one that was not queued.
        is_running: The attempt goes on.
    """

    name: str
    path: AbsPath
    attempt: Attempt | None
    number: int
    task_id: str | None
    is_running: bool


def find_log(request: LogRequest, session: Session) -> FoundLog:
    """Returns the log that a request is about; it need not be there.

    Raises:
        NotFoundError: Nothing is known by that name, or it has had fewer attempts.
        OffbranchError: It has not been started yet.
    """
    with opened(session) as project:
        return _find(request, project, need_git(project))


def read_found(found: FoundLog, *, n_lines: int | None = None) -> Iterator[bytes]:
    """Yields what the commands of an attempt have written so far, in pieces.

    Raises:
        OffbranchError: There is no log; the message says why.
    """
    try:
        yield from read_log(found.path, n_lines=n_lines)
    except FileNotFoundError:
        if not found.is_running:
            raise _no_log(found) from None


def follow_found(
    found: FoundLog, request: LogRequest, session: Session, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[bytes]:
    """Yields a log as it is written, until its attempt ends; of a task until that ends, one attempt after the other.

    What comes between two attempts is told to the reporter. Ending the iteration leaves the experiment alone.

    Raises:
        OffbranchError: There is no log, and nobody will write one.
    """
    with opened(session) as project:
        repo, n_lines = need_git(project), request.n_lines
        while True:
            if not (found.is_running or os.path.exists(found.path)):
                raise _no_log(found)
            yield from follow_log(found.path, _life_of(project, repo, found), n_lines=n_lines, sleep=sleep)
            if found.task_id is None or request.number is not None or found.attempt is None:
                return
            following = _next_attempt(project, repo, found, session, sleep)
            if following is None:
                return
            found, n_lines = following, None
            session.reporter.emit(Notice(text=f"attempt {found.number} of '{found.name}':"))


def _find(request: LogRequest, project: Project, repo: GitRepo) -> FoundLog:
    status, root = read_queue(project, repo), project.root
    tasks = find_tasks(status.tasks, request.name)
    running = next((task for task in tasks if task.standing is not None), None)
    task = running or (tasks[0] if tasks else None)
    if task is None:
        return _of_attempt(request, repo, root, status)
    if task.peer is not None:
        return _of_peer(task, request)
    numbered = task.attempts[::-1]
    by_id = next((n for n, each in enumerate(numbered, 1) if each.id == request.name), None)
    number = request.number if request.number is not None else by_id or len(numbered)
    if not numbered or (task.elsewhere is not None and number == len(numbered) and by_id is None is request.number):
        raise _not_there(task)
    _check_number(task.name, number, len(numbered))
    return _found(root, task, number)


def _found(root: AbsPath, task: TaskStatus, number: int) -> FoundLog:
    attempt = task.attempts[len(task.attempts) - number]
    return FoundLog(
        name=task.name,
        path=join(root, attempt.log),
        attempt=attempt,
        number=number,
        task_id=task.id,
        is_running=task.standing is not None and attempt is task.last,
    )


def _of_peer(task: TaskStatus, request: LogRequest) -> FoundLog:
    """Returns the log of a task of DVC's queue."""
    assert task.peer is not None
    if task.state == QUEUED:
        raise _not_there(task)
    _check_number(task.name, 1 if request.number is None else request.number, 1)
    if task.peer.log is None:
        raise NotFoundError(f"no output logs found for experiment '{task.name}': DVC has not written any")
    return FoundLog(
        name=task.name,
        path=task.peer.log,
        attempt=None,
        number=1,
        task_id=task.id,
        is_running=task.standing is not None,
    )


def _of_attempt(request: LogRequest, repo: GitRepo, root: AbsPath, status: QueueStatus) -> FoundLog:
    """Returns the log of something that was not queued: a run in the workspace or in a temporary copy."""
    everything = {each.id: each for each in (*read_records(root), *read_attempts(repo, root))}
    alone = [each for each in everything.values() if each.task_id is None]
    own = sorted((each for each in alone if request.name in (each.name, each.id)), key=lambda each: each.started_utc)
    if not own:
        known = {*(task.name for task in status.tasks), *(each.name for each in alone)}
        raise NotFoundError(
            f"'{request.name}' is not a valid queued experiment name, and no other run has left a log by that name",
            hint=did_you_mean(request.name, known) or "ob queue status and ob exp show list what there is",
        )
    number = request.number if request.number is not None else len(own)
    _check_number(request.name, number, len(own))
    attempt = own[number - 1]
    return FoundLog(
        name=attempt.name,
        path=join(root, attempt.log),
        attempt=attempt,
        number=number,
        task_id=None,
        is_running=attempt.true_state is AttemptState.RUNNING,
    )


def _check_number(name: str, number: int, n: int) -> None:
    if number < 1:
        raise UsageError(f"attempts are counted from 1, found {number}", hint="without --attempt the last one is meant")
    if number > n:
        raise NotFoundError(
            f"'{name}' has had {n} attempt{'' if n == 1 else 's'}, there is no attempt {number}",
            hint="ob queue status --json lists them",
        )


def _not_there(task: TaskStatus) -> OffbranchError:
    if task.state == SUCCEEDED:
        return NotFoundError(
            f"the log of '{task.name}' is not here: it was removed, or the experiment was made somewhere else",
            hint="the logs of the newest 100 successful experiments are kept",
        )
    if task.elsewhere is not None:
        return OffbranchError(
            f"experiment '{task.name}' runs {task.place}; its log comes here if it fails",
            hint=f"ob queue wait {task.name}",
        )
    return OffbranchError(
        f"experiment '{task.name}' is in queue but has not been started",
        hint="dvc queue start" if task.peer else f"ob queue release {task.name}" if task.is_held else "ob queue start",
    )


def _no_log(found: FoundLog) -> OffbranchError:
    attempt = found.attempt
    if attempt is None or attempt.state is AttemptState.SUCCEEDED:
        return NotFoundError(
            f"the log of '{found.name}' has been removed",
            hint="the logs of the newest 100 successful experiments are kept",
        )
    cause = f": {attempt.cause}" if attempt.cause else ""
    return NotFoundError(f"no output logs found for experiment '{found.name}': it ended before any command ran{cause}")


def _life_of(project: Project, repo: GitRepo, found: FoundLog) -> Callable[[], bool]:
    """Returns what tells whether an attempt goes on; one on another machine is asked for every few seconds only."""
    root, attempt, asked = project.root, found.attempt, list[float]()
    if attempt is None:
        return lambda: any(
            task.id == found.task_id and task.standing is not None for task in read_queue(project, repo).tasks
        )

    def goes_on() -> bool:
        now = read_one(root, attempt.id) or attempt
        if now.state is not AttemptState.RUNNING:
            return False
        if attempt.task_id is None:
            return is_alive(now.process)
        if now.process.host != host_name():
            if asked and time.monotonic() - asked[-1] < BEAT_S:
                return True
            asked[:] = [time.monotonic()]
        return is_carried_out(root, now)

    return goes_on


def _next_attempt(
    project: Project, repo: GitRepo, found: FoundLog, session: Session, sleep: Callable[[float], None]
) -> FoundLog | None:
    """Waits for the next attempt at a task; returns None when there will be none."""
    root, before = project.root, found.attempt.id if found.attempt is not None else ""
    has_told = False
    while True:
        began_ns = time.time_ns()
        status = read_status(repo, root)
        task = next((each for each in status.tasks if each.id == found.task_id), None)
        if task is None or task.has_ended:
            _tell_end(task, found, session)
            return None
        if task.last is not None and task.last.id != before:
            return _found(root, task, len(task.attempts))
        if not has_told and task.standing is None:
            why = f" ({task.cause})" if task.cause else ""
            session.reporter.emit(Notice(text=f"'{found.name}' waits in the queue again{why}; its next log follows"))
            has_told = True
        wait_for_change(repo, root, remember(repo, root, status, (), began_ns=began_ns), sleep=sleep)


def _tell_end(task: TaskStatus | None, found: FoundLog, session: Session) -> None:
    if task is None:
        session.reporter.emit(Notice(text=f"'{found.name}' was removed from the queue"))
    elif task.state != SUCCEEDED:
        session.reporter.emit(Notice(text=f"'{found.name}' {task.state}: {task.cause}"))
