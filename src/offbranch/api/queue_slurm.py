"""The queue in SLURM: handing tasks over, and taking them back. What its jobs do is in `api/queue_slurm_job.py`.

Loaded by name. Nothing here holds the project; what is handed over is decided under a lock of its own.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence

from offbranch.api.session import Session, beginning, need_git, opened
from offbranch.base.errors import ConflictError, LockedError, NotFoundError, OffbranchError, did_you_mean
from offbranch.base.events import Warned
from offbranch.base.locks import hold_lock
from offbranch.base.records import record, replace
from offbranch.experiments.experiment import AttemptState
from offbranch.experiments.leases import hold_lease
from offbranch.experiments.underway import Fate
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.slurm.failure import end_unstarted
from offbranch.queue.slurm.jobs import Slurm, cancel, max_array_size
from offbranch.queue.slurm.look import forget_answer, glance_at_slurm, look_at_slurm
from offbranch.queue.slurm.place import has_submissions
from offbranch.queue.slurm.plan import plan_arrays
from offbranch.queue.slurm.records import Submission, forget_submission, mark_withdrawn, write_submission_record
from offbranch.queue.slurm.status import with_job_of
from offbranch.queue.slurm.submit import Duties, hand_over, plan_duties, slurm_lock
from offbranch.queue.slurm.view import Element, Places, Standing, with_ends
from offbranch.queue.status import FAILED, QUEUED, RUNNING, QueueStatus
from offbranch.queue.store import find_task, read_tasks
from offbranch.queue.task import StoredTask, TaskState

_WITH_JOBS = (RUNNING, QUEUED, FAILED)


@record
class SlurmRequest:
    """What `ob queue start --slurm` asks for.

    Attributes:
        names: Tasks; all that wait where there are none.
        options: For sbatch.
        limit: How many tasks may run at once; None for as many as SLURM likes.
        only_if_there: A name that stands for no task that waits does not matter.
    """

    names: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    limit: int | None = None
    only_if_there: bool = False


@record
class HandedOver:
    """What has come of it.

    Attributes:
        submissions: The arrays that were submitted.
        names: Names of the tasks in them, by id.
        there: Ids of tasks that wait and that SLURM had already.
        given_up: Tasks that have failed, because their jobs came to nothing too often.
        cancelled: Elements of arrays that held a place for nothing.
        refusal: What sbatch said when it took no more; what it had taken by then is in `submissions`.
    """

    submissions: tuple[Submission, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    there: tuple[str, ...] = ()
    given_up: tuple[StoredTask, ...] = ()
    cancelled: tuple[str, ...] = ()
    refusal: OffbranchError | None = None

    @property
    def task_ids(self) -> tuple[str, ...]:
        """The tasks that this is about: those that SLURM has now, and those that have failed."""
        return (*(task_id for task_id, _ in self.names), *self.there, *(each.task.id for each in self.given_up))


def hand_to_slurm(request: SlurmRequest, session: Session, *, clock: Callable[[], float] = time.time) -> HandedOver:
    """Hands tasks that wait to SLURM, as array jobs; those it has already are left with it.

    Raises:
        NotFoundError: A name stands for no task that waits.
        OffbranchError: SLURM does not answer; nothing has been done.
    """
    with opened(session) as project:
        repo, slurm = need_git(project), slurm_of(project)
        with hold_lock(slurm_lock(project.root), wait_s=math.inf):
            tasks = read_tasks(repo, project.root).all
            chosen = _chosen(tasks, request)
            waiting = {stored.task.id for stored in tasks}
            places = look_at_slurm(slurm, project.root, _running(tasks), waiting, clock=clock)
            if places.problem is not None:
                raise places.problem
            _remember_ends(project, places)
            duties = plan_duties(chosen, tasks, places, clock())
            _cancel(project, slurm, duties.cancel)
            for each in duties.forget:
                forget_submission(project.root, each.id)
            given_up = [
                stored for stored, element in duties.give_up if _give_up(project, repo, stored, element, clock())
            ]
            done = _hand_over_all(project, slurm, duties, request)
            return replace(
                done,
                there=duties.there,
                given_up=tuple(given_up),
                cancelled=tuple(each.job for each in duties.cancel if each.job is not None),
            )


def with_jobs(project: Project, status: QueueStatus) -> QueueStatus:
    """Returns what the queue looks like, with what SLURM has of it; an answer of SLURM may be some seconds old."""
    running, waiting, failed = ({task.id for task in status.tasks if task.state == each} for each in _WITH_JOBS)
    places = glance_at_slurm(slurm_of(project), project.root, running, waiting, failed)
    return replace(status, tasks=tuple(with_job_of(task, places) for task in status.tasks))


def withdraw_from_slurm(
    session: Session, task_ids: Iterable[str] | None = None, *, pending_only: bool = True
) -> tuple[str, ...]:
    """Takes back what SLURM has not started, so that it never does; what waits in the queue goes on waiting there.

    Args:
        session: Where.
        task_ids: The tasks; None for everything.
        pending_only: Otherwise what runs is cancelled too: to be used where who runs it does not answer.

    Returns:
        The elements that were cancelled, by job and index. SLURM that does not answer is told of, not raised.
    """
    with opened(session) as project:
        if not has_submissions(project.root):
            return ()
        slurm = slurm_of(project)
        wanted = None if task_ids is None else frozenset(task_ids)
        tasks = read_tasks(need_git(project), project.root).all
        try:
            with hold_lock(slurm_lock(project.root), wait_s=math.inf):
                places = look_at_slurm(slurm, project.root, _running(tasks))
                if places.problem is not None:
                    raise places.problem
                found = [
                    each
                    for each in places.elements
                    if each.holds_place
                    and (each.standing is Standing.PENDING or not pending_only)
                    and (wanted is None or (each.carries or each.task.id) in wanted)
                ]
                _cancel(project, slurm, found)
        except OffbranchError as error:
            session.reporter.emit(
                Warned(
                    text=f"what SLURM has not started could not be cancelled: {error.message}",
                    hint="a job that finds its task gone ends by itself",
                )
            )
            return ()
        return tuple(each.job for each in found if each.job is not None)


def slurm_of(project: Project) -> Slurm:
    """Returns the SLURM that a project's environment leads to."""
    return Slurm(environment=project.environment.all, directory=project.root)


def _hand_over_all(project: Project, slurm: Slurm, duties: Duties, request: SlurmRequest) -> HandedOver:
    if not duties.submit:
        return HandedOver()
    arrays = plan_arrays(duties.submit, max_size=max_array_size(slurm), limit=request.limit)
    done: list[Submission] = []
    refusal = None
    for array in arrays:
        after = done[-1].job_id if array.goes_after and done else None
        try:
            done.append(hand_over(slurm, project.root, array, request.options, after))
        except OffbranchError as error:
            refusal = error
            break
    forget_answer(project.root)
    if refusal is not None and not done:
        raise refusal
    ids = {task.id for submission in done for task in submission.tasks}
    names = tuple((stored.task.id, stored.name) for stored in duties.submit if stored.task.id in ids)
    return HandedOver(submissions=tuple(done), names=names, refusal=refusal)


def _remember_ends(project: Project, places: Places) -> None:
    for submission in {each.submission.id: each.submission for each in places.elements}.values():
        if (seen := with_ends(submission, places.elements)) is not submission:
            write_submission_record(project.root, seen)


def _give_up(project: Project, repo: GitRepo, stored: StoredTask, element: Element, now_utc: float) -> bool:
    fate = Fate(state=AttemptState.FAILED, cause=f"SLURM could not run it as job {element.job}: {element.cause}")
    try:
        with hold_lease(project.root, stored.task.id), beginning(project):
            return end_unstarted(repo, project.root, stored, fate, element, now_utc)
    except (ConflictError, LockedError):
        return False


def _cancel(project: Project, slurm: Slurm, elements: Iterable[Element]) -> None:
    by_cluster: dict[str, list[str]] = {}
    for each in elements:
        if each.job is not None:
            # One that starts at this moment finds that it was not a user who cancelled it.
            mark_withdrawn(project.root, each.submission.id, each.index)
            by_cluster.setdefault(each.submission.cluster, []).append(each.job)
    for cluster, jobs in by_cluster.items():
        cancel(replace(slurm, cluster=cluster), jobs)
        forget_answer(project.root)


def _running(tasks: Iterable[StoredTask]) -> set[str]:
    return {stored.task.id for stored in tasks if stored.state is TaskState.RUNNING}


def _chosen(tasks: Sequence[StoredTask], request: SlurmRequest) -> tuple[StoredTask, ...]:
    if not request.names:
        return tuple(tasks)
    found = []
    for name in request.names:
        stored = find_task(tasks, name)
        if stored is None and request.only_if_there:
            continue
        if stored is None:
            raise NotFoundError(
                f"'{name}' is not a queued experiment", hint=did_you_mean(name, [each.name for each in tasks])
            )
        found.append(stored)
    return tuple(found)
