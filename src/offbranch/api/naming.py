"""What a name of the user's stands for where it may be that of a queued task, which only the queue knows."""

from collections.abc import Iterable
from typing import Final

from offbranch.base.plugins import load
from offbranch.experiments.refs import TASKS
from offbranch.git.ids import CommitId
from offbranch.git.refs import may_have_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project

PARTS: Final = {"task": "offbranch.queue.store:revision_of"}


def revision_of(project: Project, repo: GitRepo, name: str) -> str:
    """Returns what experiments know by that name: a queued task is its commit."""
    if not may_have_refs(repo, TASKS):
        return name
    revision: str = load(PARTS["task"])(repo, project.root, name)
    return revision


def queued_tasks(project: Project, names: Iterable[str | None]) -> dict[str, CommitId]:
    """Returns the commits of those names that stand for a queued task and for nothing else."""
    if project.repo is None:
        return {}
    found = {name: revision_of(project, project.repo, name) for name in names if name is not None}
    return {name: CommitId(commit) for name, commit in found.items() if commit != name}
