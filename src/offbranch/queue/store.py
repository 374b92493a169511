"""The tasks that Git has: list them, find them by name, write their records, and take them out of the queue.

A task is queued as long as its ref is there and nobody carries it out; who does is told by its lease, which is at an attempt.
"""

from collections.abc import Callable, Iterable, Sequence

from offbranch.base.errors import UsageError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.leases import is_carried_out
from offbranch.experiments.refs import TASKS, find_named_commit, lease_ref, task_ref
from offbranch.git.ids import CommitId, ObjectName, TreeId
from offbranch.git.many_commits import CommitDraft, write_commits
from offbranch.git.refs import RefUpdate, may_have_refs, resolve_revision
from offbranch.git.repository import GitRepo
from offbranch.queue.history import History, WaitingTask, by_task, read_history
from offbranch.queue.memory import remember_tasks
from offbranch.queue.task import StoredTask, Task, TaskState, message_of, stored_to_json, task_from_json

# So often a task may be lost without fault of its own, by reboots, and keeps its place.
_LOSSES_IN_PLACE = 3


@record
class Unreadable:
    """A ref among those of tasks that this version cannot read."""

    ref: str
    commit: ObjectName
    reason: str


@record
class Tasks:
    """What is in the queue.

    Attributes:
        all: In the order in which they are to be run, which is that of their ids; those that run now are among them.
        unreadable: Refs that are no task of a version we know.
    """

    all: tuple[StoredTask, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def queued(self) -> tuple[StoredTask, ...]:
        """Those that wait."""
        return tuple(task for task in self.all if task.state is TaskState.QUEUED)


def read_tasks(repo: GitRepo, root: AbsPath) -> Tasks:
    """Returns the tasks of a project, in the order of their ids, which is that of their refs."""
    return tasks_of(root, read_history(repo, root, with_made=False))


def tasks_of(
    root: AbsPath, history: History, parse: Callable[[WaitingTask], StoredTask | Unreadable] | None = None
) -> Tasks:
    """Returns the tasks of a history, as they are now.

    Args:
        root: Of the project, where locks tell which of them run.
        history: What Git says.
        parse: `parse_task`, or what remembers its answers.
    """
    attempts = by_task(history.attempts)
    found: list[StoredTask] = []
    unreadable: list[Unreadable] = []
    for waiting in history.waiting:
        task = (parse or parse_task)(waiting)
        if isinstance(task, Unreadable):
            unreadable.append(task)
        else:
            found.append(_standing(root, task, history, attempts.get(waiting.id, ())))
    return Tasks(all=tuple(found), unreadable=tuple(unreadable))


def queue_order(stored: StoredTask) -> tuple[int, int, str]:
    """Returns what tasks are sorted by, next first; one that whoever runs it dies of lets the others go first."""
    return -stored.task.priority, stored.n_lost // _LOSSES_IN_PLACE, stored.task.id


def find_task(tasks: Iterable[StoredTask], text: str) -> StoredTask | None:
    """Returns the task that a name, an id, a ref or the beginning of a commit id stands for.

    Raises:
        UsageError: Several tasks have it.
    """
    found = [
        each
        for each in tasks
        if text in (each.name, each.task.id, each.ref) or (len(text) >= 4 and each.commit.startswith(text))
    ]
    if len(found) > 1:
        ids = ", ".join(each.task.id for each in found)
        raise UsageError(f"'{text}' stands for several queued tasks", hint=f"give the id of one: {ids}")
    return found[0] if found else None


def revision_of(repo: GitRepo, root: AbsPath, text: str) -> str:
    """Returns the commit of a queued task where a text names one and nothing else, otherwise the text as it is.

    Git revisions, experiments and attempts come first, as they do everywhere.

    Raises:
        UsageError: Several tasks have the name.
    """
    if not may_have_refs(repo, TASKS) or resolve_revision(repo, text) is not None or find_named_commit(repo, text):
        return text
    history = read_history(repo, root, with_made=False)
    if any(text in (attempt.name, attempt.id) for attempt in history.attempts):
        return text
    found = find_task(tasks_of(root, history).all, text)
    return text if found is None else found.commit


def queued_names(repo: GitRepo, root: AbsPath, baseline: CommitId) -> frozenset[str]:
    """Returns the names that experiments of a baseline will get when their tasks have run."""
    history = read_history(repo, root, with_made=False)
    return frozenset(each.name for each in history.waiting_at(baseline))


def commit_tasks(repo: GitRepo, tasks: Sequence[tuple[Task, TreeId]]) -> tuple[CommitId, ...]:
    """Stores records of tasks whose files Git has already; nothing refers to them yet."""
    drafts = [
        CommitDraft(
            tree=tree, files={}, parent=task.spec.baseline, message=message_of(task), time_s=int(task.created_utc)
        )
        for task, tree in tasks
    ]
    return write_commits(repo, drafts)


def remember(root: AbsPath, tasks: Iterable[StoredTask]) -> None:
    """Tells the index of tasks that have just got their refs, so that nobody has to read them; never fails."""
    remember_tasks(root, {each.commit: stored_to_json(each.task, each.tree) for each in tasks})


def expect_lease(stored: StoredTask) -> RefUpdate:
    """Returns the change that changes nothing, and fails if somebody has taken the task since it was read."""
    return RefUpdate(ref=lease_ref(stored.task.id), new=stored.lease, old=stored.lease)


def drop_task(stored: StoredTask) -> tuple[RefUpdate, RefUpdate]:
    """Returns the changes that take a waiting task out of the queue, with what a dead worker left.

    They fail if somebody has begun it since it was read: beginning it leaves its own ref as it is, so what counts is its lease.
    """
    lease = RefUpdate(ref=lease_ref(stored.task.id), new=None, old=stored.lease)
    return RefUpdate(ref=stored.ref, new=None, old=stored.commit), lease


def parse_task(waiting: WaitingTask) -> StoredTask | Unreadable:
    """Returns what is known of a task that has a ref; how it stands is told by `tasks_of`."""
    ref = task_ref(waiting.id)
    if waiting.about is None:
        return Unreadable(ref=ref, commit=ObjectName(waiting.commit), reason=waiting.problem)
    task = replace(task_from_json(waiting.about), id=waiting.id)
    return StoredTask(task=task, ref=ref, commit=waiting.commit, tree=TreeId(waiting.about["tree"]))


def _standing(root: AbsPath, stored: StoredTask, history: History, attempts: Sequence[Attempt]) -> StoredTask:
    task_id = stored.task.id
    lease = history.leases.get(task_id)
    if lease is None and not attempts and task_id not in history.shared and task_id not in history.away:
        return stored  # as most of them: a worker looks at a thousand of these after each task
    counting = tuple(each for each in attempts if each.task_round == stored.task.round)
    is_running = lease is not None and any(each.commit == lease and is_carried_out(root, each) for each in counting)
    is_away = not is_running and task_id in history.away
    return replace(
        stored,
        state=TaskState.RUNNING if is_running or is_away else TaskState.QUEUED,
        lease=lease,
        attempts=counting,
        is_shared=task_id in history.shared,
        is_away=is_away,
    )
