"""A queue that many machines share: where it is, sending to it, and bringing it and its results here.

The Git remote is the arbiter and is all that has to be reached by everybody; the broker only tells workers that there is
something to do. So what cannot be announced now is announced by the next `ob queue sync`, `ob queue start` or worker.
"""

from collections.abc import Mapping, Sequence

from offbranch.api.session import Session, need_git, opened
from offbranch.api.share import resolve_remote_of
from offbranch.base.errors import OffbranchError, RemoteError, UsageError
from offbranch.base.records import record
from offbranch.git.network import Talk
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.remote.broker import Broker, Message, WorkerThere, open_broker
from offbranch.queue.remote.collect import collect_results, ended_unseen, remove_unwanted
from offbranch.queue.remote.config import (
    QueueChange,
    QueueConfig,
    queue_name,
    read_queue_config,
    write_queue_config,
)
from offbranch.queue.remote.place import QueueRemote, There, queue_remote, read_tasks_there, read_there
from offbranch.queue.remote.report import SyncReport, Unsent
from offbranch.queue.remote.send import send_tasks
from offbranch.queue.remote.sync import (
    Step,
    apply_brought,
    apply_leases,
    apply_removed,
    plan_sync,
    read_here,
)
from offbranch.queue.store import queue_order, read_tasks
from offbranch.queue.task import StoredTask


@record
class SharedQueue:
    """The queue of a clone that shares it with others, opened.

    Attributes:
        config: What the clone is told.
        name: Of the queue at the broker.
        place: The Git remote.
        broker: Tells workers.
    """

    project: Project
    config: QueueConfig
    name: str
    place: QueueRemote
    broker: Broker


@record
class QueueThere:
    """What `ob queue config` shows.

    Attributes:
        config: What the clone is told.
        name: Of the queue at the broker; None where there is no broker, or nobody can tell.
        n_messages: Messages that wait; None if the broker was not asked, or does not answer.
        workers: Those that answer.
        error: Why the broker does not.
    """

    config: QueueConfig
    name: str | None = None
    n_messages: int | None = None
    workers: tuple[WorkerThere, ...] = ()
    error: OffbranchError | None = None


def look_at_config(session: Session, *, asks: bool = True) -> QueueThere:
    """Returns where the queue of this clone is, and with `asks` who is there."""
    with opened(session) as project:
        repo = need_git(project)
        config = read_queue_config(repo, project.environment)
        if config.broker is None:
            return QueueThere(config=config, workers=open_broker(None, "", project.root).workers())
        name = None
        try:
            name = queue_name(repo, project.prefix, config)
            if not asks:
                return QueueThere(config=config, name=name)
            broker = open_broker(config.broker, name, project.root)
            return QueueThere(config=config, name=name, n_messages=broker.n_waiting(), workers=broker.workers())
        except OffbranchError as error:
            return QueueThere(config=config, name=name, error=error)


def configure(change: QueueChange, session: Session) -> QueueThere:
    """Changes what this clone is told of its queue.

    Raises:
        UsageError: A value makes no sense; nothing has been changed.
        NotFoundError: There is no such Git remote; likewise.
    """
    with opened(session) as project:
        repo = need_git(project)
        if change.remote:
            resolve_remote_of(repo, change.remote, session)
        write_queue_config(repo, change)
    return look_at_config(session, asks=False)


def shared_queue(project: Project, session: Session) -> SharedQueue | None:
    """Opens the queue of a clone that shares it; None for one that does not. Nothing is connected yet.

    Raises:
        NotFoundError: There is no such Git remote.
    """
    if project.repo is None:
        return None
    config = read_queue_config(project.repo, project.environment)
    if config.broker is None:
        return None
    name = queue_name(project.repo, project.prefix, config)
    return SharedQueue(
        project=project,
        config=config,
        name=name,
        place=_place(project.repo, config, session),
        broker=open_broker(config.broker, name, project.root),
    )


def need_shared_queue(project: Project, session: Session) -> SharedQueue:
    """Opens it.

    Raises:
        UsageError: This clone shares no queue.
    """
    need_git(project)
    found = shared_queue(project, session)
    if found is None:
        raise UsageError(
            "this clone shares its queue with no other machine",
            hint="ob queue config --broker redis://HOST:6379/0 makes it share one",
        )
    return found


def send_new(session: Session, tasks: Sequence[StoredTask]) -> SyncReport | None:
    """Sends tasks that were queued a moment ago, where the clone shares its queue; None where it does not.

    What goes wrong is in the report: the tasks are queued here in any case.
    """
    with opened(session) as project:
        try:
            shared = shared_queue(project, session)
        except OffbranchError as unclear:
            return SyncReport(unsent=tuple(Unsent(stored=each, error=unclear) for each in tasks))
        if shared is None:
            return None
        try:  # asked first, so that a remote which cannot be reached is known not to have got anything
            known = read_tasks_there(shared.place, [each.task.id for each in tasks])
        except RemoteError as unreached:
            return SyncReport(unsent=tuple(Unsent(stored=each, error=unreached) for each in tasks))
        done = send_tasks(project, shared.place, tasks, known)
        waiting = [each for each in done.tasks if not each.task.is_held]
        n_announced, error = _announce(shared, [_message(each) for each in waiting])
        return SyncReport(
            sent=done.tasks, unsent=done.unsent, n_waiting=len(waiting), n_announced=n_announced, error=error
        )


def sync(session: Session, *, sends: bool = True, announces: bool = True) -> SyncReport:
    """Brings the queue here and the one at the Git remote together.

    Args:
        session: Where.
        sends: Tasks that were queued or changed here go there.
        announces: Workers are told of what waits, if the broker has no message for them.

    Raises:
        RemoteError: The Git remote cannot be reached.
    """
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        return sync_shared(shared, sends=sends, announces=announces)


def sync_shared(shared: SharedQueue, *, sends: bool, announces: bool) -> SyncReport:
    """See `sync`."""
    place, project = shared.place, shared.project
    there = read_there(place)
    here = read_here(place.repo)
    steps = plan_sync(here, there)
    brought = apply_brought(place, here, there, steps)
    apply_removed(place, here, there, steps)
    remove_unwanted(place, project.root, there)
    unsure = [each for each, step in steps.items() if step is Step.UNSURE]
    ended = [each for each, step in steps.items() if step is Step.ENDED]
    ended += ended_unseen(place, project.root, here, there, unsure)
    # Listed again: in the first listing a task may be gone, and its experiment not yet there.
    results = collect_results(place, project.root, here, read_there(place) if ended else there, ended)
    apply_leases(place, read_here(place.repo), there)
    tasks = read_tasks(place.repo, project.root).all
    done = send_tasks(project, place, _to_send(tasks, steps, there, ended), there.tasks) if sends else None
    sent = () if done is None else done.tasks
    waiting = _waiting(tasks, there, sent)
    n_announced, error = _announce_missing(shared, waiting) if announces else (0, None)
    return SyncReport(
        sent=sent,
        unsent=() if done is None else done.unsent,
        brought=brought,
        results=results,
        n_waiting=len(waiting),
        n_running=len(there.leases.keys() & there.tasks.keys()),
        n_announced=n_announced,
        error=error,
    )


def _to_send(
    tasks: Sequence[StoredTask], steps: Mapping[str, Step], there: There, ended: Sequence[str]
) -> list[StoredTask]:
    """Returns the tasks that are new or changed here; one that somebody carries out is left as it is."""
    return [
        each
        for each in tasks
        if steps.get(each.task.id, Step.SEND) in (Step.SEND, Step.UNSURE)
        and each.task.id not in there.leases
        and each.task.id not in ended
    ]


def _waiting(tasks: Sequence[StoredTask], there: There, sent: Sequence[StoredTask]) -> list[StoredTask]:
    at_remote = {*there.tasks, *(each.task.id for each in sent)}
    found = [each for each in tasks if each.task.id in at_remote and each.task.id not in there.leases]
    return sorted((each for each in found if not each.task.is_held), key=queue_order)


def _announce_missing(shared: SharedQueue, waiting: Sequence[StoredTask]) -> tuple[int, RemoteError | None]:
    """Tells workers of what waits, unless enough messages wait for them as it is."""
    if not waiting:
        return 0, None
    try:
        if shared.broker.n_waiting() >= len(waiting):
            return 0, None
    except RemoteError as error:
        return 0, error
    return _announce(shared, [_message(each) for each in waiting])


def _announce(shared: SharedQueue, messages: Sequence[Message]) -> tuple[int, RemoteError | None]:
    try:
        return shared.broker.send(messages), None
    except RemoteError as error:
        return 0, error


def _message(stored: StoredTask) -> Message:
    return Message(task_id=stored.task.id, task_commit=stored.commit, priority=stored.task.priority)


def _place(repo: GitRepo, config: QueueConfig, session: Session) -> QueueRemote:
    remote = resolve_remote_of(repo, config.remote, session)
    return queue_remote(repo, remote, Talk(reporter=session.reporter))
