"""Changing what waits in the queue: other terms, out of it, or into it again.

None of these waits for a run: the workspace may be in use meanwhile. Each is one transaction of refs, which fails as a whole if
somebody has taken or changed one of the tasks since they were read; then they are read again.
"""

from collections.abc import Callable, Container
from typing import TypeVar

from offbranch.api.queue_news import tell_changes
from offbranch.api.session import Session, beginning, need_git, opened
from offbranch.base.errors import ConflictError, NotFoundError, UsageError
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.experiments.peer_signals import has_peer_queue
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.again import AGAIN, Retry, apply_retry, plan_retry
from offbranch.queue.amend import Amendment, apply_amendment, plan_amendment
from offbranch.queue.chosen import Chosen, KnownTask, KnownTasks, TaskChoice, choose_tasks, read_known
from offbranch.queue.remote.report import SyncReport
from offbranch.queue.remote.shared_signs import may_share
from offbranch.queue.remove import Withdrawal, plan_withdrawal, withdraw
from offbranch.queue.slurm.place import has_submissions
from offbranch.queue.store import Unreadable
from offbranch.queue.task import StoredTask, Task, TaskState
from offbranch.queue.terms import NO_TERMS, Terms

P = TypeVar("P")
T = TypeVar("T")
# Workers and other clients that change the queue at the same time; each of them gets through once a time.
_MAX_TRIES = 20
ALL_TO_RETRY = frozenset(AGAIN)
# Those that run are left alone, and named.
ALL_TO_REMOVE = frozenset(TaskState)


@record
class Changed:
    """What has changed.

    Attributes:
        tasks: As they are now.
        same: Tasks that needed no change.
        running: Tasks that were left alone because they run.
        shared: What telling the other machines came to, where the queue is shared.
    """

    tasks: tuple[StoredTask, ...] = ()
    same: tuple[StoredTask, ...] = ()
    running: tuple[KnownTask, ...] = ()
    shared: SyncReport | None = None


@record
class TasksRemoved:
    """What has left the queue.

    Attributes:
        tasks: As they were.
        unreadable: Refs that were no task of a version we know.
        running: Tasks that stay because they run.
        shared: As of `Changed`.
    """

    tasks: tuple[KnownTask, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    running: tuple[KnownTask, ...] = ()
    shared: SyncReport | None = None


@record
class Retried:
    """What is in the queue again.

    Attributes:
        tasks: Their records for the next round.
        stored: The same as Git has them; nothing for a dry run.
        left_out: Failed tasks that stay as they are, because another task or an experiment has their name.
        shared: As of `Changed`.
    """

    tasks: tuple[Task, ...] = ()
    stored: tuple[StoredTask, ...] = ()
    left_out: tuple[KnownTask, ...] = ()
    shared: SyncReport | None = None


C = TypeVar("C", Changed, TasksRemoved, Retried)


def change_terms(choice: TaskChoice, terms: Terms, session: Session) -> Changed:
    """Gives tasks that wait another priority, holds or releases them, or changes what else is said about running them.

    Args:
        choice: Which; those that run are left alone unless they are named.
        terms: What changes.
        session: Where.

    Raises:
        NotFoundError: A name means no task; nothing has changed.
        ConflictError: A task that was named runs, or has ended; likewise.
        UsageError: A number is out of bounds.
    """

    def plan(project: Project, repo: GitRepo) -> Amendment:
        known = read_known(repo, project.root, with_succeeded=bool(choice.names))
        return plan_amendment(_chosen(project, known, choice, (TaskState.QUEUED, TaskState.RUNNING)), terms)

    def apply(project: Project, repo: GitRepo, planned: Amendment) -> Changed:
        return Changed(tasks=apply_amendment(repo, project.root, planned), same=planned.same, running=planned.running)

    return _told(_at_last(session, plan, apply), session)


def hold(choice: TaskChoice, session: Session) -> Changed:
    """Has tasks left alone until they are released; see `change_terms`."""
    return change_terms(choice, Terms(is_held=True), session)


def release(choice: TaskChoice, session: Session) -> Changed:
    """Lets tasks go that were held; see `change_terms`."""
    return change_terms(choice, Terms(is_held=False), session)


def set_priority(priority: int, choice: TaskChoice, session: Session) -> Changed:
    """Has tasks run earlier or later than others; see `change_terms`."""
    return change_terms(choice, Terms(priority=priority), session)


def remove(choice: TaskChoice, session: Session, *, dry: bool = False) -> TasksRemoved:
    """Takes tasks out of the queue, with attempts, records and logs; experiments stay.

    Args:
        choice: Which; those that run are left alone unless they are named.
        session: Where.
        dry: Only tells which.

    Raises:
        NotFoundError: A name means no task; nothing has been removed.
        ConflictError: A task that was named runs; likewise.
    """
    _refuse_none(choice)

    def plan(project: Project, repo: GitRepo) -> Withdrawal:
        with_succeeded = bool(choice.names) or TaskState.SUCCEEDED in choice.states
        known = read_known(repo, project.root, with_succeeded=with_succeeded)
        unreadable = known.unreadable if TaskState.QUEUED in choice.states else ()
        return plan_withdrawal(_chosen(project, known, choice), unreadable)

    def apply(project: Project, repo: GitRepo, planned: Withdrawal) -> TasksRemoved:
        if not dry:
            withdraw(repo, project.root, planned)
            if may_share(repo, project.environment):  # the next exchange with the Git remote removes them there, too
                attempts = [attempt.id for each in planned.tasks for attempt in each.attempts]
                load("offbranch.queue.remote.collect:note_unwanted")(project.root, attempts)
            if has_submissions(project.root):
                load("offbranch.api.queue_slurm:withdraw_from_slurm")(session, [each.id for each in planned.tasks])
        return TasksRemoved(tasks=planned.tasks, unreadable=planned.unreadable, running=planned.running)

    done = _at_last(session, plan, apply)
    return done if dry else _told(done, session)


def retry(
    choice: TaskChoice, session: Session, *, terms: Terms = NO_TERMS, starts_over: bool = False, dry: bool = False
) -> Retried:
    """Puts failed and cancelled tasks into the queue again, as they were queued; their attempts stay.

    A task that had made checkpoints goes on from the newest.

    Args:
        choice: Which.
        session: Where.
        terms: What shall be other than before.
        starts_over: They begin anew instead.
        dry: Only tells which.

    Raises:
        NotFoundError: A name means no task; nothing has been queued.
        ConflictError: A task that was named waits, runs or has succeeded, or its name is taken; likewise.
    """
    _refuse_none(choice)

    def plan(project: Project, repo: GitRepo) -> Retry:
        known = read_known(repo, project.root, with_succeeded=bool(choice.names))
        return plan_retry(
            repo, project.root, known, _chosen(project, known, choice, AGAIN), terms, starts_over=starts_over
        )

    def apply(project: Project, repo: GitRepo, planned: Retry) -> Retried:
        tasks = tuple(task for task, _ in planned.tasks)
        return Retried(
            tasks=tasks, stored=() if dry else apply_retry(repo, project.root, planned), left_out=planned.left_out
        )

    done = _at_last(session, plan, apply)
    return done if dry else _told(done, session)


def _chosen(project: Project, known: KnownTasks, choice: TaskChoice, prefer: Container[TaskState] = ()) -> Chosen:
    try:
        return choose_tasks(known.tasks, choice, prefer=prefer)
    except NotFoundError:
        if has_peer_queue(project.root):
            load("offbranch.queue.peer.tasks:refuse_peers")(project, choice.names)
        raise


def _refuse_none(choice: TaskChoice) -> None:
    if bool(choice.names) == bool(choice.states):
        raise UsageError("give either names of tasks, or states of which all are meant", hint="--all means all states")


def _told(done: C, session: Session) -> C:
    """Tells the other machines of a shared queue what was done; what they could not be told is told to the user."""
    return replace(done, shared=tell_changes(session)) if done.tasks else done


def _at_last(session: Session, plan: Callable[[Project, GitRepo], P], apply: Callable[[Project, GitRepo, P], T]) -> T:
    """Decides and does, and does both again where refs have moved in between."""
    with opened(session) as project:
        repo = need_git(project)
        for tries_left in reversed(range(_MAX_TRIES)):
            with beginning(project):
                planned = plan(project, repo)
                try:
                    return apply(project, repo, planned)
                except ConflictError:
                    if not tries_left:
                        raise
        raise AssertionError
