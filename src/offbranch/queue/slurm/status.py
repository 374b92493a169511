"""What `ob queue status` says of the job of a task."""

from offbranch.base.records import replace
from offbranch.queue.slurm.view import Element, Places, Standing
from offbranch.queue.status import FAILED, QUEUED, RUNNING, Job, TaskStatus


def with_job_of(task: TaskStatus, places: Places) -> TaskStatus:
    """Returns a task with the job of SLURM that it waits for, runs in, or came to nothing in; as it is where there is none."""
    if task.state == RUNNING:
        element = next((each for each in places.elements if each.carries == task.id), None)
    elif task.state in (QUEUED, FAILED):
        element = places.of(task.id, _round(task))
    else:
        element = None
    if element is None or element.job is None:
        return task
    return replace(task, job=_job(element, element.job, places))


def _job(element: Element, job: str, places: Places) -> Job:
    row, note = element.row, element.note
    standing = Standing.RUNNING if element.carries is not None else element.standing
    node = row.node if row is not None else ""
    return Job(
        id=job,
        state=standing.value if places.problem is None or standing is Standing.RUNNING else "unknown",
        reason=row.reason if row is not None else "",
        node=node or (note.process.host if note is not None else ""),
        cause=element.cause,
        output=element.output,
    )


def _round(task: TaskStatus) -> int:
    if "round" in task.about:
        return int(task.about["round"])
    return 1 if task.last is None else task.last.task_round
