"""The tasks that Git has: list them, find them by name, and take them out of the queue.

A task is queued as long as its ref is there and nobody carries it out; who does is told by its lease, which is at an attempt.
"""

from collections.abc import Iterable, Mapping, Sequence

from offbranch.base.errors import UsageError
from offbranch.base.paths import AbsPath
from offbranch.base.records import field, record, replace
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.leases import is_carried_out
from offbranch.experiments.refs import AWAY, LEASES, SENDING, SENT, TASKS, find_named_commit, lease_ref
from offbranch.git.ids import CommitId, ObjectName
from offbranch.git.objects import ObjectReader
from offbranch.git.records import parse_commit
from offbranch.git.refs import RefUpdate, list_refs, may_have_refs, resolve_revision
from offbranch.git.repository import GitRepo
from offbranch.queue.task import StoredTask, TaskState, task_from_message

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


def read_tasks(repo: GitRepo, root: AbsPath, *, attempts: Sequence[Attempt] | None = None) -> Tasks:
    """Returns the tasks of a repository, in the order of their refs.

    Args:
        repo: Where.
        root: Of the project, whose attempts tell which of them run.
        attempts: Its attempts, if they are known already.
    """
    refs, around = _refs_and_around(repo, root)
    if not refs:
        return Tasks()
    around = replace(around, attempts=_by_task(repo, root, attempts))
    found: list[StoredTask] = []
    unreadable: list[Unreadable] = []
    with ObjectReader(repo) as objects:
        contents = objects.read_many(commit for _, commit in refs)
    for ref, commit in refs:
        task = _parse(ref, commit, contents.get(commit), around)
        if isinstance(task, Unreadable):
            unreadable.append(task)
        else:
            found.append(task)
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
    attempts = list_attempts(repo, root)
    if any(text in (attempt.name, attempt.id) for attempt in attempts):
        return text
    found = find_task(read_tasks(repo, root, attempts=attempts).all, text)
    return text if found is None else found.commit


def queued_names(repo: GitRepo, root: AbsPath, baseline: CommitId) -> frozenset[str]:
    """Returns the names that experiments of a baseline will get when their tasks have run."""
    return frozenset(each.name for each in read_tasks(repo, root).all if each.task.spec.baseline == baseline)


def expect_lease(stored: StoredTask) -> RefUpdate:
    """Returns the change that changes nothing, and fails if somebody has taken the task since it was read."""
    return RefUpdate(ref=lease_ref(stored.task.id), new=stored.lease, old=stored.lease)


def drop_task(stored: StoredTask) -> tuple[RefUpdate, RefUpdate]:
    """Returns the changes that take a waiting task out of the queue, with what a dead worker left.

    They fail if somebody has begun it since it was read: beginning it leaves its own ref as it is, so what counts is its lease.
    """
    lease = RefUpdate(ref=lease_ref(stored.task.id), new=None, old=stored.lease)
    return RefUpdate(ref=stored.ref, new=None, old=stored.commit), lease


@record
class _Around:
    """What is known about all tasks together."""

    root: AbsPath
    leases: Mapping[str, CommitId]
    shared: frozenset[str]
    away: Mapping[str, CommitId]
    attempts: Mapping[str, Sequence[Attempt]] = field(default_factory=dict)


def _refs_and_around(repo: GitRepo, root: AbsPath) -> tuple[list[tuple[str, ObjectName]], _Around]:
    found = list_refs(repo, AWAY, LEASES, SENDING, SENT, TASKS)

    def below(prefix: str) -> dict[str, CommitId]:
        return {ref.removeprefix(prefix): CommitId(name) for ref, name in found if ref.startswith(prefix)}

    tasks = [(ref, commit) for ref, commit in found if ref.startswith(TASKS)]
    shared = shared_ids(ref for ref, _ in found)
    return tasks, _Around(root=root, leases=below(LEASES), shared=shared, away=below(AWAY))


def shared_ids(refs: Iterable[str]) -> frozenset[str]:
    """Returns the ids of the tasks that are, or may be, at a Git remote too, from the refs of the queue."""
    return frozenset(ref.rpartition("/")[2] for ref in refs if ref.startswith((SENDING, SENT)))


def _by_task(repo: GitRepo, root: AbsPath, attempts: Sequence[Attempt] | None) -> dict[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = {}
    for attempt in list_attempts(repo, root) if attempts is None else attempts:
        if attempt.task_id is not None:
            found.setdefault(attempt.task_id, []).append(attempt)
    return found


def parse_task(ref: str, commit: ObjectName, found: tuple[str, bytes] | None) -> StoredTask | Unreadable:
    """Returns what a ref of the queue and the object that it is at say; whether it runs is told by `with_lease`."""
    kind, content = found or ("nothing", b"")
    try:
        if kind != "commit":
            raise ValueError(f"{kind} is there instead of a commit")
        about = parse_commit(CommitId(commit), content)
        task = replace(task_from_message(about.message), id=ref.removeprefix(TASKS))
        if about.parents != (task.spec.baseline,):
            raise ValueError("its commit does not start from its baseline")
    except ValueError as error:
        return Unreadable(ref=ref, commit=commit, reason=str(error))
    return StoredTask(task=task, ref=ref, commit=about.id, tree=about.tree)


def with_lease(root: AbsPath, stored: StoredTask, lease: CommitId | None, attempts: Iterable[Attempt]) -> StoredTask:
    """Returns a task as it is now.

    Args:
        root: Of the project.
        stored: What its commit says.
        lease: What the ref of its lease is at.
        attempts: All at this task, newest first.
    """
    counting = tuple(each for each in attempts if each.task_round == stored.task.round)
    is_running = lease is not None and any(each.commit == lease and is_carried_out(root, each) for each in counting)
    state = TaskState.RUNNING if is_running else TaskState.QUEUED
    return replace(stored, state=state, lease=lease, attempts=counting)


def _parse(ref: str, commit: ObjectName, found: tuple[str, bytes] | None, around: _Around) -> StoredTask | Unreadable:
    task = parse_task(ref, commit, found)
    if isinstance(task, Unreadable):
        return task
    task_id = task.task.id
    task = replace(task, is_shared=task_id in around.shared)
    task = with_lease(around.root, task, around.leases.get(task_id), around.attempts.get(task_id, ()))
    if task_id in around.away and task.state is TaskState.QUEUED:
        return replace(task, state=TaskState.RUNNING, away=around.away[task_id])
    return task
