"""Other terms for tasks that wait: plan which records change, then new commits and one transaction of refs.

Each ref is expected as it was read, and so is the lease: a task that somebody has taken meanwhile is not touched, nor is any
other. Killed anywhere, all of them have the new terms or none.
"""

from collections.abc import Sequence

from offbranch.base.errors import ConflictError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.git.refs import RefUpdate, update_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.chosen import Chosen, KnownTask, names_of
from offbranch.queue.store import commit_tasks, expect_lease, remember
from offbranch.queue.task import StoredTask, Task, TaskState
from offbranch.queue.terms import Terms, with_terms


@record
class Amendment:
    """What is to change.

    Attributes:
        tasks: Each with its new record.
        same: Tasks that have these terms already.
        running: Tasks that are left alone because they run.
    """

    tasks: tuple[tuple[StoredTask, Task], ...]
    same: tuple[StoredTask, ...] = ()
    running: tuple[KnownTask, ...] = ()


def plan_amendment(chosen: Chosen, terms: Terms) -> Amendment:
    """Decides which records change.

    Raises:
        ConflictError: A task that was named runs, or has ended.
        UsageError: A number is out of bounds.
    """
    refuse_running(chosen, "nothing was changed")
    refuse_ended(chosen)
    changed: list[tuple[StoredTask, Task]] = []
    same: list[StoredTask] = []
    for each in chosen.tasks:
        if each.stored is None or each.state is not TaskState.QUEUED:
            continue
        new = with_terms(each.stored.task, terms)
        if new == each.stored.task:
            same.append(each.stored)
        else:
            changed.append((each.stored, new))
    running = tuple(each for each in chosen.tasks if each.state is TaskState.RUNNING)
    return Amendment(tasks=tuple(changed), same=tuple(same), running=running)


def apply_amendment(repo: GitRepo, root: AbsPath, amendment: Amendment) -> tuple[StoredTask, ...]:
    """Writes the new records; returns the tasks as they are then.

    Raises:
        ConflictError: One has been taken, changed or removed meanwhile; none has changed.
    """
    commits = commit_tasks(repo, [(new, old.tree) for old, new in amendment.tasks])
    updates: list[RefUpdate] = []
    found: list[StoredTask] = []
    for (old, new), commit in zip(amendment.tasks, commits, strict=True):
        updates += (RefUpdate(ref=old.ref, new=commit, old=old.commit), expect_lease(old))
        found.append(replace(old, task=new, commit=commit))
    update_refs(repo, updates)
    remember(root, found)
    return tuple(found)


def refuse_running(chosen: Chosen, consequence: str) -> None:
    """Makes sure that none of the tasks that were named runs; those that only match are left out by the caller.

    Raises:
        ConflictError: One does.
    """
    running = [each for each in chosen.tasks if each.id in chosen.by_name and each.state is TaskState.RUNNING]
    if running:
        names = names_of(running)
        raise ConflictError(
            f"{names} {'is' if len(running) == 1 else 'are'} running; {consequence}",
            hint=f"stop it first: ob queue kill {running[0].name}",
        )


def refuse_ended(chosen: Chosen) -> None:
    """Makes sure that none of the tasks that were named has ended.

    Raises:
        ConflictError: One has.
    """
    ended: Sequence[KnownTask] = [each for each in chosen.tasks if each.id in chosen.by_name and each.stored is None]
    if ended:
        first = ended[0]
        is_done = first.state is TaskState.SUCCEEDED
        raise ConflictError(
            f"{names_of(ended)} {'has' if len(ended) == 1 else 'have'} ended; nothing was changed",
            hint=f"its experiment is '{first.name}'" if is_done else f"queue it again: ob queue retry {first.name}",
        )
