"""Opening a project, and holding it for one action. The only place that takes project locks.

Two locks, each dying with its holder: ours (`.dvc/tmp/ob/lock`), held for the whole action, says who works here; DVC's own
(`.dvc/tmp/lock`) is held too for actions that run no commands, while a pipeline holds it only between its commands. An `ob`
that a stage command starts shares our lock with the `ob` outside.
"""

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from offbranch.base.environ import Environment, read_environment
from offbranch.base.errors import LockedError, NoProjectError, OffbranchError, UsageError
from offbranch.base.events import NullReporter, Reporter, Warned
from offbranch.base.locks import LockFile, hold_lock, holder_as_pid
from offbranch.base.paths import OB_DIR, ROOT, AbsPath, RepoPath, join, relative_to
from offbranch.base.plugins import load
from offbranch.base.processes import ProcessInfo, is_alive
from offbranch.base.records import record
from offbranch.git.repository import GitRepo, operation_in_progress
from offbranch.project import Project, open_project

LOCK = f"{OB_DIR}/lock"
_BEGINNING = f"{OB_DIR}/queue/begin.lock"
_MOMENT_S = 2.0


@record
class Session:
    """Where an action takes place.

    Attributes:
        start: Directory the user is in.
        environment: Variables of the process.
        reporter: Takes progress.
    """

    start: AbsPath
    environment: Environment
    reporter: Reporter


def make_session(
    start: str | None = None, *, environment: Environment | None = None, reporter: Reporter | None = None
) -> Session:
    """Returns a session for a directory, by default the current one with the environment of the process."""
    return Session(
        start=AbsPath(os.path.realpath(start or os.getcwd())),
        environment=environment or read_environment(),
        reporter=reporter or NullReporter(),
    )


@contextmanager
def opened(session: Session) -> Iterator[Project]:
    """Opens the project of a session for reading.

    Raises:
        NoProjectError: There is none.
    """
    project = open_project(session.start, session.environment)
    try:
        yield project
    finally:
        project.state.close()


@contextmanager
def held(
    session: Session, *, runs_commands: bool = False, patient: bool = False
) -> Iterator[tuple[Project, tuple[int, ...]]]:
    """Opens the project of a session and holds it against every other writer.

    Args:
        session: Where.
        runs_commands: Leaves DVC's lock to the pipeline, which takes it between its commands.
        patient: Waits as long as it takes, and says so only if that is more than a moment.

    Yields:
        The project, and the descriptors that a command must inherit so that the lock lives as long as it does.

    Raises:
        LockedError: Another process holds it, and did not let go in time.
    """
    with opened(session) as project, ExitStack() as stack:
        wait_s = math.inf if patient else session.environment.lock_wait_s
        descriptors: tuple[int, ...] = ()
        if not _is_inside_run(session, project):
            lock = _hold_in_a_moment(stack, project) if patient else None
            lock = lock or stack.enter_context(_own_lock(session, project, wait_s))
            descriptors = (lock.descriptor,)
        elif runs_commands:
            raise UsageError(
                "a command of a running experiment or pipeline cannot start another one in the same project",
                hint="use 'ob exp run --temp' in another clone, or make it a stage of its own",
            )
        if not runs_commands:
            peer = join(project.tmp_dir, "lock")
            stack.enter_context(hold_lock(AbsPath(peer), content=holder_as_pid, wait_s=wait_s))
        if descriptors and project.repo is not None:
            _recover(project, session)
        yield project, descriptors


def beginning(project: Project) -> AbstractContextManager[LockFile]:
    """Holds what a queued task is taken under, for a moment; who removes data holds it all the time, so that nothing begins."""
    return hold_lock(join(project.root, _BEGINNING), wait_s=math.inf)


def _own_lock(session: Session, project: Project, wait_s: float) -> AbstractContextManager[LockFile]:
    return hold_lock(
        join(project.root, LOCK),
        wait_s=wait_s,
        on_wait=lambda who: _tell(session, who),
        on_abandoned=lambda who: _sweep(project, who),
    )


def _hold_in_a_moment(stack: ExitStack, project: Project) -> LockFile | None:
    """Takes our lock if that is possible soon; several workers of the queue want it all the time."""
    lock = hold_lock(join(project.root, LOCK), wait_s=_MOMENT_S, on_abandoned=lambda who: _sweep(project, who))
    try:
        return stack.enter_context(lock)
    except LockedError:
        return None


def _sweep(project: Project, who: ProcessInfo) -> None:
    load("offbranch.base.litter:sweep_litter")(project.root, who.pid)


def lock_files(project: Project) -> tuple[AbsPath, AbsPath]:
    """Returns our lock of a project, and that of DVC; for those who only look at them."""
    return join(project.root, LOCK), AbsPath(os.path.join(project.tmp_dir, "lock"))


def need_git(project: Project) -> GitRepo:
    """Returns the Git repository of a project, ready for experiments.

    Raises:
        NoProjectError: There is none.
        OffbranchError: A rebase, merge or the like is in progress.
    """
    if project.repo is None:
        raise NoProjectError(
            "experiments need a Git repository around the project", hint="git init && git add -A && git commit -m start"
        )
    return project.repo


def refuse_during_operation(repo: GitRepo) -> None:
    """Makes sure that Git is not in the middle of something.

    Raises:
        OffbranchError: It is; the message names it.
    """
    operation = operation_in_progress(repo)
    if operation is not None:
        raise OffbranchError(
            f"a Git {operation} is in progress", hint=f"finish it or undo it first: git {operation} --abort"
        )


def _recover(project: Project, session: Session) -> None:
    """Clears up after killed attempts; the code for it is only loaded where there ever was one."""
    if os.path.isdir(join(project.root, f"{OB_DIR}/runs")):
        load("offbranch.experiments.recover:recover_attempts")(project, project.repo, session.reporter)


def _is_inside_run(session: Session, project: Project) -> bool:
    outer = session.environment.outer_root
    return outer is not None and os.path.realpath(outer) == os.path.realpath(project.root)


def _tell(session: Session, who: ProcessInfo | None) -> None:
    name = f"process {who.pid} ({who.command})" if who else "another process"
    if who is not None and who.host and not is_alive(who):
        name = f"a command that {name} had started: that process is gone, its command still runs"
        session.reporter.emit(Warned(text=f"waiting for {name}", hint="end it, or wait for it"))
        return
    session.reporter.emit(Warned(text=f"waiting for {name}, which holds the project"))


def working_directory(project: Project, session: Session) -> RepoPath:
    """Returns the directory of the project the user is in."""
    return relative_to(session.start, project.root) or ROOT
