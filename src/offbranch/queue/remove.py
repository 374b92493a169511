"""Taking tasks out of the queue, with their attempts and logs: decide about everything, then one transaction of refs.

`ob queue remove` and `ob exp remove` both end here. Experiments that tasks have become stay, but for those that `exp remove`
removes itself in the same transaction.
"""

import os
from contextlib import suppress

from offbranch.base.errors import LockedError, NotFoundError, UsageError
from offbranch.base.files import remove_tree
from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.experiments.attempts import attempt_dir, forget_attempts, read_records
from offbranch.experiments.leases import forget_lease, hold_lease, lease_path
from offbranch.experiments.refs import task_ref
from offbranch.experiments.remove import Removal, Removed, apply_removal, plan_removal
from offbranch.git.refs import RefUpdate
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.amend import refuse_running
from offbranch.queue.chosen import Chosen, KnownTask, KnownTasks, TaskChoice, choose_tasks, read_known
from offbranch.queue.cleared import clear_tasks
from offbranch.queue.history import read_history
from offbranch.queue.requests import forget_request
from offbranch.queue.store import Unreadable, drop_task
from offbranch.queue.task import TaskState

_NOTHING_REMOVED = "nothing was removed"


@record
class Withdrawal:
    """What is to leave the queue.

    Attributes:
        tasks: In any state but running.
        unreadable: Refs that are no tasks of a version we know.
        running: Tasks that stay because they run.
    """

    tasks: tuple[KnownTask, ...]
    unreadable: tuple[Unreadable, ...] = ()
    running: tuple[KnownTask, ...] = ()


def plan_withdrawal(chosen: Chosen, unreadable: tuple[Unreadable, ...] = ()) -> Withdrawal:
    """Decides what goes.

    Raises:
        ConflictError: A task that was named runs.
    """
    refuse_running(chosen, _NOTHING_REMOVED)
    running = tuple(each for each in chosen.tasks if each.state is TaskState.RUNNING)
    tasks = tuple(each for each in chosen.tasks if each.state is not TaskState.RUNNING)
    return Withdrawal(tasks=tasks, unreadable=unreadable, running=running)


def withdraw(repo: GitRepo, root: AbsPath, withdrawal: Withdrawal) -> None:
    """Removes tasks with all that is left of their runs.

    Raises:
        ConflictError: One has been taken or changed meanwhile; nothing has been removed.
    """
    attempts = tuple(attempt for each in withdrawal.tasks for attempt in each.attempts)
    forget_attempts(repo, root, attempts, *_updates(withdrawal))
    _forget_files(repo, root, withdrawal)


def remove_with_tasks(project: Project, repo: GitRepo, removal: Removal) -> Removed:
    """Removes what some names stand for, or with `queue` everything that waits.

    Raises:
        UsageError: Selectors are mixed.
        NotFoundError: A name is not known; nothing has been removed.
        ConflictError: A task that is named runs; likewise.
    """
    known = read_known(repo, project.root)
    if removal.queue:
        return _remove_queued(project, repo, removal, known)
    waiting = tuple(each for each in known.tasks if each.stored is not None)
    # What is kept are experiments; the queue is no part of "all others".
    withdrawal = plan_withdrawal(Chosen(tasks=()))
    meant: set[str] = set()
    for name in removal.names:
        chosen = _find(waiting, name)
        if chosen.tasks:
            meant.add(name)
            found = plan_withdrawal(chosen)
            withdrawal = replace(withdrawal, tasks=(*withdrawal.tasks, *found.tasks))
    planned = plan_removal(project, repo, replace(removal, names_elsewhere=frozenset(meant)))
    tasks = () if removal.keep else tuple({each.id: each for each in withdrawal.tasks}.values())
    more = {attempt.id: attempt for each in tasks for attempt in each.attempts}
    shown = replace(planned, tasks=tuple(each.name for each in tasks))
    if not removal.dry:
        withdrawal = Withdrawal(tasks=tasks)
        attempts = {each.id: each for each in planned.attempts} | more
        planned = replace(planned, attempts=tuple(attempts.values()))
        apply_removal(project, repo, planned, *_updates(withdrawal))
        _forget_files(repo, project.root, withdrawal)
    return shown


def _find(waiting: tuple[KnownTask, ...], name: str) -> Chosen:
    """Returns what a name means of the queue; it may mean nothing there."""
    try:
        return choose_tasks(waiting, TaskChoice(names=(name,)))
    except NotFoundError:
        return Chosen(tasks=())


def _remove_queued(project: Project, repo: GitRepo, removal: Removal, known: KnownTasks) -> Removed:
    if removal.names or removal.everything or removal.revs or removal.n_commits is not None or removal.keep:
        raise UsageError(
            "--queue removes everything that waits, and goes with no name or other selector",
            hint="ob exp remove --queue, or the names alone",
        )
    chosen = choose_tasks(known.tasks, TaskChoice(states=frozenset((TaskState.QUEUED,))))
    withdrawal = plan_withdrawal(chosen, known.unreadable)
    if not removal.dry:
        withdraw(repo, project.root, withdrawal)
    unreadable = (each.ref.rpartition("/")[2] for each in withdrawal.unreadable)
    return Removed(tasks=(*(each.name for each in withdrawal.tasks), *unreadable))


def _updates(withdrawal: Withdrawal) -> list[RefUpdate]:
    updates: list[RefUpdate] = []
    for each in withdrawal.tasks:
        if each.stored is not None:
            updates += drop_task(each.stored)
        else:  # fails if it has been queued again meanwhile
            updates.append(RefUpdate(ref=task_ref(each.id), new=None, old=None))
    return updates + [RefUpdate(ref=each.ref, new=None, old=each.commit) for each in withdrawal.unreadable]


def _forget_files(repo: GitRepo, root: AbsPath, withdrawal: Withdrawal) -> None:
    """Removes what lies beside the refs: logs of successes, locks and requests that nobody has a use for any more."""
    done = {each.id for each in withdrawal.tasks if each.state is TaskState.SUCCEEDED}
    if done:
        clear_tasks(root, done, known={each.task_id for each in read_history(repo, root).made})
        for attempt in read_records(root):
            if attempt.task_id in done:
                remove_tree(attempt_dir(root, attempt.id))
    for each in withdrawal.tasks:
        forget_request(root, each.id)
        if os.path.exists(lease_path(root, each.id)):
            with suppress(LockedError), hold_lease(root, each.id):
                forget_lease(root, each.id)
