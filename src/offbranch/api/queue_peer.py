"""DVC's queue and ours: taking over what DVC has queued, and removing what either leaves behind."""

from fnmatch import fnmatchcase

from offbranch.api.session import Session, beginning, need_git, opened
from offbranch.base.errors import NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.records import record
from offbranch.experiments.choose import is_pattern
from offbranch.experiments.refs import is_abbreviation
from offbranch.queue.clean import Cleaned, clean_queue
from offbranch.queue.peer.importing import Refusal, finish_takeovers, plan_takeover, take_over
from offbranch.queue.peer.tasks import PeerTask, peer_tasks
from offbranch.queue.task import StoredTask, Task, TaskState
from offbranch.queue.terms import NO_TERMS, Terms


@record
class Imported:
    """What has become ours.

    Attributes:
        tasks: Their records.
        stored: The same as Git has them; nothing for a dry run.
        refused: What stays DVC's, and why.
        missed: What a worker of DVC took in the same moment.
    """

    tasks: tuple[Task, ...] = ()
    stored: tuple[StoredTask, ...] = ()
    refused: tuple[Refusal, ...] = ()
    missed: tuple[PeerTask, ...] = ()


def import_tasks(
    session: Session, names: tuple[str, ...] = (), *, terms: Terms = NO_TERMS, dry: bool = False
) -> Imported:
    """Makes tasks that wait in DVC's queue ours: they leave that queue, and `ob` runs them as they were queued.

    Args:
        session: Where.
        names: Names, patterns of names, or beginnings of commit ids; without any all are meant.
        terms: How they are to be run.
        dry: Only tells which.

    Raises:
        NotFoundError: A name means no task of DVC that waits; nothing has been taken.
        OffbranchError: A task that was named cannot be taken over; likewise.
    """
    with opened(session) as project, beginning(project):
        repo = need_git(project)
        if not dry:
            finish_takeovers(project, repo)
        waiting = [task for task in peer_tasks(project) if task.state is TaskState.QUEUED]
        chosen = _chosen(waiting, names) if names else waiting
        planned = plan_takeover(project, repo, chosen, terms)
        if names and planned.refused:
            first = planned.refused[0]
            raise OffbranchError(
                f"'{first.peer.name}' cannot be taken over: {first.reason}; nothing was taken",
                hint="let DVC run it: dvc queue start",
            )
        tasks = tuple(task for _, task, _ in planned.tasks)
        if dry:
            return Imported(tasks=tasks, refused=planned.refused)
        done = take_over(project, repo, planned)
        return Imported(
            tasks=tuple(each.task for each in done.tasks),
            stored=done.tasks,
            refused=planned.refused,
            missed=done.missed,
        )


def clean(session: Session, *, dry: bool = False) -> Cleaned:
    """Removes what workers have left behind that nobody needs: control messages of DVC's, and files of ours."""
    with opened(session) as project, beginning(project):
        repo = need_git(project)
        if not dry:
            finish_takeovers(project, repo)
        return clean_queue(project, repo, dry=dry)


def _chosen(waiting: list[PeerTask], names: tuple[str, ...]) -> list[PeerTask]:
    found: dict[str, PeerTask] = {}
    for text in names:
        named = [task for task in waiting if _is_called(task, text)]
        if not named:
            raise NotFoundError(
                f"DVC has queued no experiment '{text}'; nothing was taken",
                hint=did_you_mean(text, [task.name for task in waiting]) or "ob queue status lists what is queued",
            )
        if len(named) > 1 and not is_pattern(text):
            commits = ", ".join(task.commit[:7] for task in named)
            raise UsageError(f"DVC has queued several '{text}'", hint=f"give the commit of one: {commits}")
        found.update((task.id, task) for task in named)
    return [task for task in waiting if task.id in found]


def _is_called(task: PeerTask, text: str) -> bool:
    if is_pattern(text):
        return fnmatchcase(task.name, text)
    return text in (task.name, task.id) or is_abbreviation(text.lower(), task.commit)
