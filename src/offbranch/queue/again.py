"""Queueing again what has failed or was stopped: the same task, with the same files, in another round.

Plan, then one transaction that makes the refs: a task that is in the queue already is never made a second time. Its attempts
stay, and count no more: only those of the present round do.
"""

from collections.abc import Iterator, Sequence

from offbranch.base.errors import ConflictError, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.base.records import record, replace
from offbranch.experiments.checkpoint_chain import header_of, own_chain_of
from offbranch.experiments.refs import encode, lease_ref, list_experiments, task_ref
from offbranch.git.ids import CommitId, TreeId
from offbranch.git.refs import RefUpdate, list_refs, update_refs
from offbranch.git.repository import GitRepo
from offbranch.queue.chosen import Chosen, KnownTask, KnownTasks, names_of
from offbranch.queue.index import Fact
from offbranch.queue.memory import TASK, Memory, key_of
from offbranch.queue.store import commit_tasks, remember
from offbranch.queue.task import StoredTask, Task, TaskState, task_from_json
from offbranch.queue.terms import Terms, with_terms

AGAIN = (TaskState.FAILED, TaskState.CANCELLED)


@record
class Retry:
    """What is to be queued again.

    Attributes:
        tasks: Each with its record for the next round, and its files.
        left_out: Failed tasks that stay as they are, because another task or an experiment has their name now.
        drops: Refs that go: of chains that are begun anew.
    """

    tasks: tuple[tuple[Task, TreeId], ...]
    left_out: tuple[KnownTask, ...] = ()
    drops: tuple[RefUpdate, ...] = ()


def plan_retry(
    repo: GitRepo, root: AbsPath, known: KnownTasks, chosen: Chosen, terms: Terms, *, starts_over: bool = False
) -> Retry:
    """Decides what is queued again.

    Args:
        repo: Where.
        root: Of the project.
        known: All tasks.
        chosen: Those that are meant.
        terms: What shall be other than before.
        starts_over: They do not go on from their newest checkpoints.

    Raises:
        ConflictError: A task that was named waits, runs or has succeeded; or its name has been taken meanwhile.
        OffbranchError: The commit of a task is gone, or cannot be read.
    """
    _refuse_others(chosen)
    ended = [each for each in chosen.tasks if each.state in AGAIN]
    # In the order of their ids, so the last one is the newest.
    newest = {(each.baseline, each.name): each for each in ended}
    commits = {each.id: _commit_of(each) for each in newest.values()}
    facts = Memory(repo, root).recall({key_of(TASK, commit) for commit in commits.values()}, is_all=False)
    read = {each.id: _read(facts[key_of(TASK, commits[each.id])], each) for each in newest.values()}
    taken = _taken(repo, known, [(each, read[each.id][0]) for each in newest.values()])
    _refuse_taken([each for each in taken if each.id in chosen.by_name])
    meant = [each for each in newest.values() if each not in taken]
    again = [(_next_round(repo, read[each.id][0], each, terms, starts_over=starts_over), each.id) for each in meant]
    return Retry(
        tasks=tuple((task, read[task_id][1]) for task, task_id in again),
        left_out=tuple(each for each in ended if each not in meant),
        drops=tuple(_chains(repo, [task for task, _ in again])) if starts_over else (),
    )


def apply_retry(repo: GitRepo, root: AbsPath, retry: Retry) -> tuple[StoredTask, ...]:
    """Puts the tasks into the queue, all or none.

    Raises:
        ConflictError: Another command has done so for one of them meanwhile; nothing has been queued.
    """
    commits = commit_tasks(repo, retry.tasks)
    leases = {ref: CommitId(commit) for ref, commit in list_refs(repo, lease_ref(""))} if retry.tasks else {}
    stored = tuple(
        StoredTask(task=task, ref=task_ref(task.id), commit=commit, tree=tree)
        for (task, tree), commit in zip(retry.tasks, commits, strict=True)
    )
    updates = [RefUpdate(ref=each.ref, new=each.commit, old=None) for each in stored]
    # What a worker left that died while it ended the task; nobody else has a lease of a task that has no ref.
    own = {lease_ref(each.task.id) for each in stored}
    updates += [RefUpdate(ref=ref, new=None, old=commit) for ref, commit in leases.items() if ref in own]
    update_refs(repo, [*updates, *retry.drops])
    remember(root, stored)
    return stored


def _next_round(repo: GitRepo, old: Task, each: KnownTask, terms: Terms, *, starts_over: bool) -> Task:
    rounds = max((attempt.task_round for attempt in each.attempts), default=old.round)
    # It was let go once, or it could not have failed.
    spec = replace(old.spec, resumed=_resumed(repo, old, each, starts_over=starts_over))
    task = replace(old, id=each.id, spec=spec, round=max(rounds, old.round) + 1, is_held=False)
    return with_terms(task, terms)


def _resumed(repo: GitRepo, old: Task, each: KnownTask, *, starts_over: bool) -> CommitId | None:
    """Returns what the next round goes on from: as far as it had come, or where it was to begin in the first place."""
    if not starts_over:
        made = (attempt.checkpoint for attempt in each.attempts if attempt.checkpoint is not None)
        return next(made, old.spec.resumed)
    is_own = old.spec.resumed is not None and header_of(repo, old.spec.resumed)[0] == each.id
    return None if is_own else old.spec.resumed


def _chains(repo: GitRepo, tasks: Sequence[Task]) -> Iterator[RefUpdate]:
    """Yields what removes the refs of experiments that are only checkpoints of some tasks; their attempts keep these."""
    for task in tasks:
        if (tip := own_chain_of(repo, task.spec, task.id)) is not None:
            yield RefUpdate(ref=encode(task.spec.baseline, task.spec.name), new=None, old=tip)


def _commit_of(each: KnownTask) -> CommitId:
    found = next((attempt.task_commit for attempt in each.attempts if attempt.task_commit is not None), None)
    if found is None:
        raise OffbranchError(
            f"what the task '{each.name}' was to do is not known any more",
            hint=f"bring its files back and run them: ob exp apply {each.name}",
        )
    return found


def _read(fact: Fact, each: KnownTask) -> tuple[Task, TreeId]:
    if "problem" in fact:
        raise OffbranchError(
            f"the task '{each.name}' cannot be queued again: {fact['problem']}", hint=f"ob exp apply {each.name}"
        )
    return task_from_json(fact), TreeId(fact["tree"])


def _refuse_others(chosen: Chosen) -> None:
    others = [each for each in chosen.tasks if each.id in chosen.by_name and each.state not in AGAIN]
    if not others:
        return
    name = others[0].name
    if others[0].state is TaskState.SUCCEEDED:
        raise ConflictError(
            f"'{name}' has succeeded; nothing was queued", hint=f"its experiment is '{name}': ob exp show"
        )
    how = "running" if others[0].state is TaskState.RUNNING else "waiting in the queue"
    raise ConflictError(f"'{name}' is {how} already; nothing was queued", hint="ob queue status")


def _taken(repo: GitRepo, known: KnownTasks, tasks: Sequence[tuple[KnownTask, Task]]) -> list[KnownTask]:
    """Returns those whose name belongs to something else by now."""
    waiting = {(each.baseline, each.name) for each in known.tasks if each.stored is not None}
    made = {(each.baseline, each.name): each.commit for each in list_experiments(repo)}

    def is_ours(each: KnownTask, task: Task) -> bool:
        """Tells whether an experiment is as far as the task had come itself, or what it was to go on from."""
        at = made[each.baseline, each.name]
        return task.spec.force or at == task.spec.resumed or own_chain_of(repo, task.spec, each.id) == at

    return [
        each
        for each, task in tasks
        if (key := (each.baseline, each.name)) in waiting or (key in made and not is_ours(each, task))
    ]


def _refuse_taken(taken: Sequence[KnownTask]) -> None:
    if taken:
        raise ConflictError(
            f"another task or an experiment of the same baseline is called {names_of(taken)} now; nothing was queued",
            hint=f"give that another name, or remove it: ob exp rename {taken[0].name} NEW",
        )
