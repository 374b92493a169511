"""`exp remove` where the queue has a part in it: decide about everything, then remove."""

from offbranch.base.errors import UsageError
from offbranch.base.records import replace
from offbranch.experiments.remove import Removal, Removed, plan_removal, remove_experiments
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.store import Tasks, find_task, read_tasks, remove_tasks


def remove_with_tasks(project: Project, repo: GitRepo, removal: Removal) -> Removed:
    """Removes what some names stand for, or with `queue` everything that waits.

    Raises:
        UsageError: Selectors are mixed.
        NotFoundError: A name is not known; nothing has been removed.
        ConflictError: A task that is named runs; likewise.
    """
    tasks = read_tasks(repo, project.root)
    if removal.queue:
        return _remove_queued(repo, removal, tasks)
    named = {name: task for name in removal.names if (task := find_task(tasks.all, name)) is not None}
    removal = replace(removal, names_elsewhere=frozenset(named))
    planned = plan_removal(project, repo, removal)
    # What is kept are experiments; the queue is no part of "all others".
    chosen = () if removal.keep else tuple({task.ref: task for task in named.values()}.values())
    names = tuple(each.name for each in chosen)
    if removal.dry:
        return replace(planned, tasks=names)
    remove_tasks(repo, chosen)
    return replace(remove_experiments(project, repo, removal), tasks=names)


def _remove_queued(repo: GitRepo, removal: Removal, tasks: Tasks) -> Removed:
    if removal.names or removal.everything or removal.revs or removal.n_commits is not None or removal.keep:
        raise UsageError(
            "--queue removes everything that waits, and goes with no name or other selector",
            hint="ob exp remove --queue, or the names alone",
        )
    if not removal.dry:
        remove_tasks(repo, tasks.queued, tasks.unreadable)
    unreadable = (each.ref.rpartition("/")[2] for each in tasks.unreadable)
    return Removed(tasks=(*(each.name for each in tasks.queued), *unreadable))
