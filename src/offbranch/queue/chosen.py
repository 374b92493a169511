"""Which tasks a user means: by name, id, commit, pattern, or all of a state; of those that wait, run, or have ended.

A task that has a ref waits or runs. One that has none is known by what it left: attempts, or an experiment that names it.
"""

from collections.abc import Container, Iterable, Sequence
from fnmatch import fnmatchcase

from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.paths import AbsPath
from offbranch.base.records import record
from offbranch.experiments.choose import is_pattern
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.refs import is_abbreviation
from offbranch.git.ids import CommitId
from offbranch.git.repository import GitRepo
from offbranch.queue.cleared import cleared_tasks
from offbranch.queue.history import Made, by_task, read_history
from offbranch.queue.store import Unreadable, tasks_of
from offbranch.queue.task import StoredTask, TaskState

_SHOWN = 5


@record
class KnownTask:
    """A task in any state.

    Attributes:
        name: Of the experiment it is to be, or is.
        state: FAILED also for one whose process died and that is in the queue no more.
        stored: As Git has it, while it waits or runs.
        attempts: At it, in all rounds, newest first; without that which succeeded.
        experiment: The commit that it has become.
    """

    id: str
    name: str
    baseline: CommitId
    state: TaskState
    stored: StoredTask | None = None
    attempts: tuple[Attempt, ...] = ()
    experiment: CommitId | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What it can be called exactly."""
        ref = () if self.stored is None else (self.stored.ref,)
        return (self.name, self.id, *ref, *(each.id for each in self.attempts))

    @property
    def commits(self) -> tuple[str, ...]:
        """The commits that stand for it."""
        found = [self.stored.commit] if self.stored is not None else []
        for each in self.attempts:
            found += [commit for commit in (each.task_commit, each.commit) if commit is not None]
        return (*found, *([self.experiment] if self.experiment is not None else []))


@record
class KnownTasks:
    """All tasks of a repository.

    Attributes:
        tasks: In the order of their ids.
        unreadable: Refs that are no task of a version we know.
    """

    tasks: tuple[KnownTask, ...]
    unreadable: tuple[Unreadable, ...] = ()


@record
class TaskChoice:
    """Which tasks.

    Attributes:
        names: Names, ids of tasks or attempts, beginnings of commit ids, refs, or shell patterns of names.
        states: All of these states.
    """

    names: tuple[str, ...] = ()
    states: frozenset[TaskState] = frozenset()


@record
class Chosen:
    """Attributes:
    tasks: What is meant, in the order of their ids.
    by_name: Ids of those that were named exactly, not only matched by a pattern or a state.
    """

    tasks: tuple[KnownTask, ...]
    by_name: frozenset[str] = frozenset()


def read_known(repo: GitRepo, root: AbsPath, *, with_succeeded: bool = False) -> KnownTasks:
    """Returns the tasks of a project; those that succeeded only if they are asked for."""
    history = read_history(repo, root)
    tasks = tasks_of(root, history)
    attempts = by_task(history.attempts)
    found = {each.task.id: _stored(each, attempts.get(each.task.id, ())) for each in tasks.all}
    made = {each.task_id: each for each in history.made}
    cleared = cleared_tasks(root) if made else frozenset()
    for task_id in made.keys() - found.keys() - cleared if with_succeeded else ():
        found[task_id] = _made(made[task_id], attempts.get(task_id, ()))
    # One that has succeeded has not failed, however often it was tried before.
    unreadable = {each.ref.rpartition("/")[2] for each in tasks.unreadable}
    for task_id in attempts.keys() - found.keys() - made.keys() - unreadable:
        found[task_id] = _ended(task_id, attempts[task_id])
    return KnownTasks(tasks=tuple(found[task_id] for task_id in sorted(found)), unreadable=tasks.unreadable)


def choose_tasks(known: Sequence[KnownTask], choice: TaskChoice, *, prefer: Container[TaskState] = ()) -> Chosen:
    """Returns the tasks that are meant.

    Args:
        known: All tasks.
        choice: What is meant.
        prefer: Where several are called the same, those in one of these states are meant, if there are any.

    Raises:
        NotFoundError: A name means none.
        UsageError: Tasks of several baselines have a name.
    """
    chosen = {each.id for each in known if each.state in choice.states}
    by_name: set[str] = set()
    unknown = []
    for text in choice.names:
        exact = _named(known, text)
        exact = [each for each in exact if each.state in prefer] or exact
        by_name.update(each.id for each in exact)
        matched = [] if exact else _matching(known, text)
        chosen.update(each.id for each in matched)
        if not exact and not matched:
            unknown.append(text)
    if unknown:
        raise _unknown(unknown, known)
    tasks = tuple(each for each in known if each.id in chosen or each.id in by_name)
    return Chosen(tasks=tasks, by_name=frozenset(by_name))


def names_of(tasks: Sequence[KnownTask]) -> str:
    """Returns the names of some tasks as a sentence has them."""
    names = [f"'{each.name}'" for each in tasks[:_SHOWN]]
    return ", ".join(names) if len(tasks) <= _SHOWN else f"{', '.join(names)} and {len(tasks) - _SHOWN} more"


def _named(known: Iterable[KnownTask], text: str) -> list[KnownTask]:
    found = [each for each in known if text in each.words]
    if not found and not is_pattern(text):
        prefix = text.lower()
        found = [each for each in known if any(is_abbreviation(prefix, commit) for commit in each.commits)]
    baselines = {each.baseline for each in found}
    if len(baselines) <= 1:
        return found
    ids = ", ".join(each.id for each in found)
    raise UsageError(f"'{text}' stands for several tasks, of different baselines", hint=f"give the id of one: {ids}")


def _matching(known: Iterable[KnownTask], text: str) -> list[KnownTask]:
    return [each for each in known if fnmatchcase(each.name, text)] if is_pattern(text) else []


def _unknown(texts: Sequence[str], known: Iterable[KnownTask]) -> NotFoundError:
    names = ", ".join(f"'{text}'" for text in texts)
    what = f"{names} is not a valid experiment name" if len(texts) == 1 else f"{names} are not valid experiment names"
    return NotFoundError(
        f"{what}: no task of the queue is called so",
        hint=did_you_mean(texts[0], [each.name for each in known]) or "ob queue status lists the tasks",
    )


def _stored(stored: StoredTask, attempts: Sequence[Attempt]) -> KnownTask:
    task = stored.task
    return KnownTask(
        id=task.id,
        name=task.spec.name,
        baseline=task.spec.baseline,
        state=stored.state,
        stored=stored,
        attempts=tuple(attempts),
    )


def _made(made: Made, attempts: Sequence[Attempt]) -> KnownTask:
    return KnownTask(
        id=made.task_id,
        name=made.name,
        baseline=made.baseline,
        state=TaskState.SUCCEEDED,
        attempts=tuple(attempts),
        experiment=made.commit,
    )


def _ended(task_id: str, attempts: Sequence[Attempt]) -> KnownTask:
    last = attempts[0]
    state = TaskState.CANCELLED if last.state is AttemptState.CANCELLED else TaskState.FAILED
    return KnownTask(id=task_id, name=last.name, baseline=last.baseline, state=state, attempts=tuple(attempts))
