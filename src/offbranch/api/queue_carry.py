"""One queued task from its taking to its recorded end, whatever that is."""

import traceback
from collections.abc import Callable

from offbranch.api.push_new import push_new
from offbranch.api.queue_manner import Manner, may_be_by_signal, task_launch
from offbranch.api.session import Session, beginning
from offbranch.base.errors import ConflictError, Interrupted, OffbranchError, StageFailedError
from offbranch.base.files import remove_tree
from offbranch.base.locks import LockFile
from offbranch.base.paths import join
from offbranch.base.records import replace
from offbranch.base.undisturbed import is_held_back
from offbranch.experiments.attempts import attempt_dir, log_of
from offbranch.experiments.experiment import AttemptState
from offbranch.experiments.failure_help import cause_of
from offbranch.experiments.left_behind import files_left_by
from offbranch.experiments.underway import Fate, Launch, fate_of
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.events import TaskCancelled, TaskFailed, TaskPutBack
from offbranch.queue.requests import read_request
from offbranch.queue.settle import (
    MAX_LOST,
    complete,
    end_of,
    fate_by_request,
    may_fail_again,
    published,
    settle_lost,
)
from offbranch.queue.slots.limits import memory_cause
from offbranch.queue.take import Taken, run_taken, take_task
from offbranch.queue.task import StoredTask
from offbranch.queue.task_end import TaskEnd


def end_without_run(project: Project, repo: GitRepo, stored: StoredTask, clock: Callable[[], float]) -> TaskEnd | None:
    """Ends a task that is not to be run: its end had only been cut off, or whoever runs it dies each time."""
    if stored.lease is None and not stored.attempts:
        return None
    end = complete(repo, stored)
    if end is None and stored.n_lost >= MAX_LOST:
        end = settle_lost(repo, project.root, stored, lambda attempt: files_left_by(project, repo, attempt), clock)
    return end


def begin_and_run(
    project: Project,
    repo: GitRepo,
    stored: StoredTask,
    manner: Manner,
    lock: LockFile,
    clock: Callable[[], float],
) -> TaskEnd:
    """Takes a task and carries it out; whatever goes wrong is its end, and is recorded.

    Raises:
        ConflictError: Somebody else has it, or it is not in the queue any more.
    """
    decided: list[Fate] = []
    with beginning(project):
        launch = task_launch(project, manner, clock)
        try:
            taken = take_task(
                project,
                repo,
                stored,
                launch,
                lock,
                fate=lambda error: _decide(project, stored, launch, error, decided, manner),
                left=lambda attempt: files_left_by(project, repo, attempt),
            )
        except ConflictError:
            remove_tree(attempt_dir(project.root, launch.attempt_id))  # where its log was to be
            raise
    manner.say({"attempt_id": taken.attempt.id, "log": taken.attempt.log})
    return _run(taken, manner.session)


def _decide(
    project: Project,
    stored: StoredTask,
    launch: Launch,
    error: BaseException,
    decided: list[Fate],
    manner: Manner,
) -> Fate:
    """Returns what an error means for a task; decided once, for the record and for who is told must hear the same."""
    if not decided:
        request = read_request(project.root, stored.task.id, launch.attempt_id)
        fate = manner.fate(error) or _usual_fate(error) if request is None else fate_by_request(stored, request)
        if request is None and fate.state is AttemptState.FAILED:
            fate = replace(fate, keeps_task=may_fail_again(stored))
            slot = manner.slot
            if slot is not None and isinstance(error, StageFailedError):
                log = join(project.root, log_of(launch.attempt_id))
                fate = replace(fate, cause=memory_cause(slot.memory, error.message, log) or fate.cause)
        decided.append(fate)
    return decided[0]


def _usual_fate(error: BaseException) -> Fate:
    """Returns the fate of an error; to be called while signals are held back.

    Who ends a session, a service or a machine signals one process after the other: the command may have ended of that first.
    """
    if not isinstance(error, Interrupted) and may_be_by_signal(error) and is_held_back():
        return Fate(state=AttemptState.CANCELLED, cause="stopped by a signal", keeps_task=True)
    return fate_of(error)


def _run(taken: Taken, session: Session) -> TaskEnd:
    stored, attempt_id = taken.stored, taken.attempt.id
    try:
        made = run_taken(taken).experiment
    except (OffbranchError, KeyboardInterrupt) as error:
        return _ended_badly(taken, session, error)
    except OSError as error:  # a full disk, most often
        return _ended_badly(taken, session, error)
    except Exception as error:  # noqa: BLE001 - an edge: a mistake of ours is the end of this task only
        traceback.print_exc()
        return _ended_badly(taken, session, error)
    if (
        not stored.is_shared
    ):  # who has the lease at the Git remote publishes it there, together with the end of the task
        push_new(taken.prepared.under.project, made, session)
    return replace(end_of(stored, attempt_id, Fate(state=AttemptState.SUCCEEDED)), experiment=made)


def _ended_badly(taken: Taken, session: Session, error: BaseException) -> TaskEnd:
    under = taken.prepared.under
    if isinstance(error, KeyboardInterrupt) and (made := published(under.repo, taken.stored)):
        # Stopped when everything was done.
        return replace(end_of(taken.stored, taken.attempt.id, Fate(state=AttemptState.SUCCEEDED)), experiment=made)
    fate = under.fate(error)
    name = taken.stored.name
    hint = error.hint if isinstance(error, OffbranchError) else None
    cause = fate.cause or cause_of(error)
    if fate.state is AttemptState.FAILED:
        session.reporter.emit(TaskFailed(name=name, cause=cause, hint=hint, is_repeated=fate.keeps_task))
    elif fate.keeps_task:
        session.reporter.emit(TaskPutBack(name=name))
    else:
        session.reporter.emit(TaskCancelled(name=name, cause=cause))
    code = error.exit_code_of_command if isinstance(error, StageFailedError) and not fate.cause else None
    return replace(end_of(taken.stored, taken.attempt.id, fate), cause=cause, exit_code=code, hint=hint)
