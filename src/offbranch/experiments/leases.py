"""The lock that says that a queued task runs: held by whoever carries it out, and by its commands, as long as they live.

The ref of the lease (`refs/ob/leases/<task id>`) says whose a task is, the lock whether that one is still there: also after
SIGKILL, a reboot or a full disk, none of which can keep a lock. Works within one machine; across machines the ref decides
alone, and who may take it over is said by `beat`.
"""

import os
from contextlib import AbstractContextManager, suppress

from offbranch.base.errors import LockedError
from offbranch.base.lock_holders import end_holders
from offbranch.base.locks import LockFile, hold_lock, is_locked, read_holder
from offbranch.base.paths import OB_DIR, AbsPath, join
from offbranch.base.processes import host_name, is_alive
from offbranch.experiments.experiment import Attempt, AttemptState

QUEUE_DIR = f"{OB_DIR}/queue"
_LEASES_DIR = f"{QUEUE_DIR}/leases"
# A worker elsewhere that shares our files says every few seconds that it lives; so much silence is the end of it.
BEAT_S = 5.0
# Who only looks whether the lock is held keeps others from it meanwhile.
_MOMENT_S = 0.2
SILENCE_S = 60.0


def lease_path(root: AbsPath, task_id: str) -> AbsPath:
    """Returns the lock file of a task."""
    return join(root, f"{_LEASES_DIR}/{task_id}.lock")


def hold_lease(root: AbsPath, task_id: str) -> AbstractContextManager[LockFile]:
    """Holds the lock of a task for the length of a `with`.

    Raises:
        LockedError: Somebody carries it out, or a command that it left behind still runs.
    """
    return hold_lock(lease_path(root, task_id), wait_s=_MOMENT_S)


def beat(root: AbsPath, task_id: str) -> None:
    """Says to other machines that who has a task lives; never fails, for a full disk is no reason to stop."""
    with suppress(OSError):
        os.utime(lease_path(root, task_id))


def is_carried_out(root: AbsPath, attempt: Attempt) -> bool:
    """Tells whether the attempt at a queued task goes on: its process, or a command that this one left behind."""
    if attempt.state is not AttemptState.RUNNING or attempt.task_id is None:
        return False
    if attempt.process.host != host_name():
        return _is_heard_of(root, attempt.task_id)
    return is_alive(attempt.process) or is_locked(lease_path(root, attempt.task_id))


def is_orphaned(root: AbsPath, attempt: Attempt) -> bool:
    """Tells whether only commands are left of an attempt on this machine, whose process is gone."""
    is_here = attempt.process.host == host_name() and not is_alive(attempt.process)
    return is_here and attempt.task_id is not None and is_locked(lease_path(root, attempt.task_id))


def is_worked_on(root: AbsPath, task_id: str) -> bool:
    """Tells whether a process of `ob` carries out a task; not where only commands are left that it had started."""
    path = lease_path(root, task_id)
    holder = read_holder(path)
    return holder is not None and is_alive(holder) and is_locked(path)


def end_orphans(root: AbsPath, task_id: str, pid: int) -> None:
    """Kills what a process of this machine that carried out a task and is gone has left: who holds its lock.

    Nobody is touched where another one has the lock by now: it names who took it. Only where the system tells who holds a
    lock (Linux); elsewhere they are waited for.
    """
    path = lease_path(root, task_id)
    taken_by = read_holder(path)
    if taken_by is None or taken_by.pid != pid or taken_by.host != host_name():
        return
    end_holders(path)


def forget_lease(root: AbsPath, task_id: str) -> None:
    """Removes the lock file of a task that has left the queue; to be called by who holds the lock."""
    with suppress(OSError):
        os.unlink(lease_path(root, task_id))


def sweep_lease(root: AbsPath, task_id: str) -> None:
    """Removes the lock file of a task that has left the queue, for who ran it and cannot do that any more."""
    with suppress(LockedError, OSError), hold_lock(lease_path(root, task_id)):
        forget_lease(root, task_id)


def _is_heard_of(root: AbsPath, task_id: str) -> bool:
    """Tells whether the worker on another machine has said a word lately, by the clock of the file system."""
    path = lease_path(root, task_id)
    probe = AbsPath(f"{path}.{os.getpid()}")
    try:
        with open(probe, "wb"):
            now_s = os.stat(probe).st_mtime
        return now_s - os.stat(path).st_mtime < SILENCE_S
    except FileNotFoundError:
        return False
    except OSError:  # nothing can be written here: believe that it lives
        return True
    finally:
        with suppress(OSError):
            os.unlink(probe)
