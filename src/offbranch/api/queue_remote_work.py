"""A worker of a shared queue: what it does about a message, and the look around that finds what got lost."""

import time
from collections.abc import Callable

from offbranch.api.queue_remote import SharedQueue, need_shared_queue, sync_shared
from offbranch.api.queue_remote_room import Means, Room, room_for, usual_means
from offbranch.api.queue_work import run_one
from offbranch.api.session import Session, opened
from offbranch.api.share import pull
from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.events import Warned
from offbranch.base.processes import is_alive
from offbranch.base.records import replace
from offbranch.experiments.choose import Choice
from offbranch.experiments.leases import is_worked_on
from offbranch.experiments.sharing import ShareRequest
from offbranch.git.ids import CommitId
from offbranch.git.network import push_updates
from offbranch.queue.remote.bench import Bench, Run, Verdict
from offbranch.queue.remote.broker import Message
from offbranch.queue.remote.lease import Owner, clone_id, fetch_lease
from offbranch.queue.remote.place import There, read_there
from offbranch.queue.remote.report import SyncReport
from offbranch.queue.remote.sweep import Memory, again, plan_sweep
from offbranch.queue.remote.tasks import fetch_stored
from offbranch.queue.remote.work import held_leases, work_on
from offbranch.queue.store import read_tasks
from offbranch.queue.task import StoredTask
from offbranch.queue.workers import WorkerKind

# Between two looks at the Git remote, as a part of the time after which a worker counts as lost.
_SWEEPS = 3
_LONGEST_SWEEP_S = 60.0
# How long a task waits for what others have before another worker is asked.
_ROOM_S = 10.0


def work_on_message(
    session: Session,
    message: Message,
    means: Means | None = None,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Does what is to be done about a message: at most carries out the task that it names, and publishes what came of it.

    Raises:
        Interrupted: This process was told to stop; whoever works in this clone next goes on.
    """
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        bench = _bench(shared, session, clock, sleep)
        means = usual_means(session) if means is None else means
        try:
            stored = fetch_stored(shared.place, message.task_id, message.task_commit)
        except ValueError as error:
            _tell_once(session, means, message.task_id, f"'{message.task_id}' is left to other workers: {error}")
            return Verdict.ELSEWHERE
        if stored is None:  # gone, or it cannot be reached
            return work_on(bench, message.task_id, message.over)
        with room_for(project.root, session, stored, means, _ROOM_S, sleep=sleep) as room:
            if isinstance(room, Room):
                bench = _bench(shared, session, clock, sleep, room)
                return work_on(bench, message.task_id, message.over)
        if room.reason:
            _tell_once(session, means, message.task_id, f"'{stored.name}' is left to other workers: it {room.reason}")
        return Verdict.ELSEWHERE


def _tell_once(session: Session, means: Means, task_id: str, text: str) -> None:
    if task_id not in means.told:
        means.told.add(task_id)
        session.reporter.emit(Warned(text=text))


def pass_on(session: Session, message: Message) -> None:
    """Announces a task anew, behind those that wait: a message that is given back might come first again.

    Raises:
        RemoteError: The broker cannot be reached.
    """
    with opened(session) as project:
        need_shared_queue(project, session).broker.send((message,))


def go_on_for_the_dead(session: Session, *, sleep: Callable[[float], None] = time.sleep) -> tuple[str, ...]:
    """Publishes what killed workers of this clone had made, and lets go of what they had not finished; returns those tasks.

    Raises:
        RemoteError: The broker cannot be reached.
    """
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        bench = _bench(shared, session, time.time, sleep)
        # Nothing is run here: a task that has not ended waits again, and a worker is told of it.
        idle = replace(bench, run=lambda task_id: Run(is_stopped=True))
        dead = [
            lease
            for lease in held_leases(shared.place.repo)
            if not is_alive(lease.process) and not is_worked_on(project.root, lease.task_id)
        ]
        for lease in dead:
            if work_on(idle, lease.task_id, None) is Verdict.AGAIN:
                shared.broker.send([Message(task_id=lease.task_id, task_commit=lease.task_commit)])
        return tuple(lease.task_id for lease in dead)


def sweep(session: Session, memory: Memory, now_s: float, *, with_outputs: bool) -> Memory:
    """Looks around once: what is lost at the Git remote is announced again, what nobody needs there is removed.

    Args:
        session: Where.
        memory: What was seen the last time.
        now_s: By a monotonic clock.
        with_outputs: The outputs of experiments that have come are brought too.

    Raises:
        RemoteError: Git remote or broker cannot be reached.
    """
    with opened(session) as project:
        shared = need_shared_queue(project, session)
        report = sync_shared(shared, sends=False, announces=False)
        there = read_there(shared.place)
        plan = plan_sweep(there, memory, now_s, _ttls(shared, there), shared.config.ttl_s)
        if plan.litter:
            push_updates(shared.place.repo, shared.place.remote, plan.litter, shared.place.talk)
        tasks = {each.task.id: each for each in read_tasks(shared.place.repo, project.root).all}
        silent = [_message(tasks[each], lease) for each, lease in plan.silent if each in tasks]
        unheard = [tasks[each] for each in plan.unheard if each in tasks and not tasks[each].task.is_held]
        # While messages wait, that of any task may be among them.
        lost = [_message(each, None) for each in unheard] if unheard and shared.broker.n_waiting() == 0 else []
        shared.broker.send([*silent, *lost])
        remote = shared.config.remote
    if with_outputs and report.results.experiments:
        refs = tuple(each.ref for each in report.results.experiments)
        pull(ShareRequest(remote=remote, choice=Choice(names=refs)), session)
    return again(plan.memory, (each.task_id for each in (*silent, *lost)), now_s)


def keep_sweeping(
    session: Session,
    *,
    with_outputs: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Looks around again and again; never returns."""
    memory, told = Memory(), ""
    while True:
        with opened(session) as project:
            pause_s = min(_LONGEST_SWEEP_S, need_shared_queue(project, session).config.ttl_s / _SWEEPS)
        try:
            go_on_for_the_dead(session)
            memory, told = sweep(session, memory, clock(), with_outputs=with_outputs), ""
        except OffbranchError as error:  # what cannot be reached now is looked at the next time
            if error.message != told:
                session.reporter.emit(Warned(text=error.message, hint=error.hint))
            told = error.message
        sleep(pause_s)


def keep_synced(
    session: Session,
    pause_s: float,
    take: Callable[[SyncReport], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Brings what comes as it comes, until nothing waits or runs any more.

    Args:
        session: Where.
        pause_s: Between two looks.
        take: Gets each report.

    Raises:
        RemoteError: The Git remote cannot be reached at the first look.
    """
    is_first = True
    while True:
        try:
            with opened(session) as project:
                shared = need_shared_queue(project, session)
                report = sync_shared(shared, sends=is_first, announces=is_first)
            take(report)
            if not (report.n_waiting or report.n_running):
                return
        except OffbranchError as error:
            if is_first:
                raise
            session.reporter.emit(Warned(text=error.message, hint=error.hint))
        is_first = False
        sleep(pause_s)


def _bench(
    shared: SharedQueue,
    session: Session,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    room: Room | None = None,
) -> Bench:
    offer = None if room is None else room.offer

    def run(task_id: str) -> Run:
        try:
            end = run_one(session, task_id, kind=WorkerKind.CELERY, offer=offer)
        except Interrupted:
            return Run(is_stopped=True)
        return Run(experiment=None if end is None else end.experiment)

    root = shared.project.root
    return Bench(
        project=shared.project,
        place=shared.place,
        owner=Owner(clone=clone_id(root), ttl_s=shared.config.ttl_s),
        run=run,
        clock=clock,
        sleep=sleep,
    )


def _ttls(shared: SharedQueue, there: There) -> dict[CommitId, float]:
    """Returns what leases say of how long they may be silent; what cannot be read has no say."""
    found = {}
    for task_id, commit in there.leases.items():
        lease = fetch_lease(shared.place, task_id, commit)
        if lease is not None:
            found[commit] = lease.ttl_s
    return found


def _message(stored: StoredTask, over: CommitId | None) -> Message:
    return Message(task_id=stored.task.id, task_commit=stored.commit, priority=stored.task.priority, over=over)
