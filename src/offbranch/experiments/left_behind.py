"""What a killed temporary run has left in its working copy, as long as nobody has used that again."""

from contextlib import suppress

from offbranch.base.errors import OffbranchError
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath, join, relative_to
from offbranch.base.processes import ProcessInfo
from offbranch.experiments.attempts import read_one
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.recover import files_as_found
from offbranch.experiments.temporary_run import COPIES_DIR
from offbranch.git.ids import TreeId
from offbranch.git.repository import GitRepo
from offbranch.git.worktree import lock_of_copy
from offbranch.project import Project, open_project_at


def files_left_by(project: Project, repo: GitRepo, attempt: Attempt) -> TreeId | None:
    """Returns the files of an attempt whose process is gone, metrics included; None if they are not there any more.

    The lock of a copy names who has used it last, unless that one ended in order.
    """
    known = read_one(project.root, attempt.id)
    if known is None or relative_to(AbsPath(known.root), join(project.root, COPIES_DIR)) is None:
        return None
    copy = AbsPath(known.root.removesuffix(f"/{project.prefix}") if project.prefix else known.root)
    last: list[ProcessInfo] = []
    with suppress(OffbranchError, OSError), hold_lock(lock_of_copy(copy), on_abandoned=last.append):
        if last and _is_same(last[0], attempt.process):
            place = open_project_at(AbsPath(known.root), project.environment, cache_dir=project.cache.root)
            try:
                return files_as_found(place, place.repo or repo, attempt)
            finally:
                place.state.close()
    return None


def _is_same(a: ProcessInfo, b: ProcessInfo) -> bool:
    return (a.pid, a.started, a.host) == (b.pid, b.started, b.host)
