"""Experiments that run at this moment: found by name or id, and read where they run."""

from offbranch.base.files import DirectoryReader
from offbranch.base.paths import AbsPath
from offbranch.experiments.attempts import read_records
from offbranch.experiments.experiment import Attempt, AttemptState, Where
from offbranch.experiments.refs import find_experiment, find_named_commit
from offbranch.git.refs import resolve_revision
from offbranch.git.repository import GitRepo
from offbranch.pipeline.load import Ignores
from offbranch.project import Project
from offbranch.storage.ignore import load_ignore_rules


def find_running(project: Project, repo: GitRepo, name: str) -> Attempt | None:
    """Returns the experiment that a name stands for and that runs now.

    Git revisions and experiments come first, but not the checkpoints that the run itself has made under its name.
    """
    found = [
        each
        for each in read_records(project.root)
        if name in (each.name, each.id)
        and each.state is AttemptState.RUNNING
        and each.true_state is AttemptState.RUNNING
    ]
    if not found or resolve_revision(repo, name) is not None:
        return None
    if found[-1].name == name and found[-1].checkpoints:
        made = find_experiment(repo, name)
        return found[-1] if made is None or made.baseline == found[-1].baseline else None
    return found[-1] if find_named_commit(repo, name) is None else None


def where_it_runs(project: Project, attempt: Attempt) -> tuple[DirectoryReader, Ignores]:
    """Returns the files of the directory that an attempt runs in, and what is ignored there."""
    root = AbsPath(attempt.root)
    ignores = project.ignore.ignores if root == project.root else load_ignore_rules(root).ignores
    return DirectoryReader(root), ignores


def has_own_directory(project: Project, attempt: Attempt) -> bool:
    """Tells whether an attempt runs in a directory whose metrics are its own: until its copy is made, it has none."""
    return attempt.where is Where.WORKSPACE or attempt.root != project.root
