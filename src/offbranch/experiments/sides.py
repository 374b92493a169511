"""What is compared: the workspace, a revision, an experiment, or an attempt that failed, each read whole.

A name means, in this order: `workspace`, whatever Git resolves, an experiment or a checkpoint of it, an attempt by name or id.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from offbranch.base.errors import OffbranchError
from offbranch.base.files import FileReader
from offbranch.base.records import record, replace
from offbranch.experiments.attempts import attempt_of, list_attempts
from offbranch.experiments.checkpoint_commits import checkpoint_at
from offbranch.experiments.checkpoint_names import split_name
from offbranch.experiments.experiment import Attempt, Experiment
from offbranch.experiments.refs import TASKS, find_named_commit, task_ref, unknown_revision
from offbranch.experiments.revision import RevisionData, read_revision
from offbranch.experiments.revision_files import DirectoryFiles
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.experiments.running import find_running, where_it_runs
from offbranch.experiments.wanted import Wanted, wanted_of
from offbranch.git.ids import CommitId
from offbranch.git.objects import Commit, ObjectReader
from offbranch.git.refs import list_refs, may_have_refs, resolve_revision
from offbranch.git.repository import GitRepo
from offbranch.git.tree_reader import TreeReader
from offbranch.pipeline.load import load_pipelines
from offbranch.project import Project

WORKSPACE: Final = "workspace"


@record
class Side:
    """One of the things that are compared.

    Attributes:
        name: As the user named it.
        commit: Its commit; None for the workspace.
        attempt: The record of the attempt, if it is one that did not become an experiment.
        data: Its parameters, metrics, dependencies and outputs; of an attempt only metrics that it wrote.
        wanted: What its pipelines name.
        files: Its files, as paths of the project.
    """

    name: str
    commit: Commit | None
    attempt: Attempt | None
    data: RevisionData
    wanted: Wanted
    files: FileReader


def find_commit(project: Project, repo: GitRepo, name: str) -> CommitId:
    """Returns the commit that a Git revision, the name of an experiment or of its checkpoint, or that of an attempt stands for.

    Raises:
        NotFoundError: It is none of these; near names are offered.
    """
    commit = resolve_revision(repo, name)
    commit = commit or find_named_commit(repo, name)
    if commit is None:
        attempts = list_attempts(repo, project.root)
        commit = next((each.commit for each in attempts if name in (each.name, each.id) and each.commit), None)
        commit = commit or _checkpoint_of(repo, attempts, name)
        commit = commit or resolve_revision(repo, task_ref(name))
        if commit is None:
            raise unknown_revision(repo, name, [attempt.name for attempt in attempts])
    return commit


def _checkpoint_of(repo: GitRepo, attempts: Sequence[Attempt], text: str) -> CommitId | None:
    """Returns the commit that `NAME@3` stands for where only an attempt has such a chain: its experiment has made room."""
    parts = split_name(text)
    for each in attempts if parts is not None else ():
        if parts is not None and each.checkpoint is not None and parts.name in (each.name, each.id):
            chain = Experiment(name=each.name, baseline=each.baseline, commit=each.checkpoint, ref="")
            return checkpoint_at(repo, chain, parts).commit
    return None


@contextmanager
def open_sides(
    project: Project, repo: GitRepo, names: Sequence[str], *, param_deps: bool = False
) -> Iterator[tuple[Side, ...]]:
    """Reads what is compared; its files can be read until the context is left.

    Args:
        names: What, in the user's words.
        param_deps: Only parameters that a stage depends on.

    Raises:
        NotFoundError: One does not exist.
        OffbranchError: The pipelines of one cannot be understood.
    """
    commits = {name: find_commit(project, repo, name) for name in dict.fromkeys(names) if name != WORKSPACE}
    with ObjectReader(repo) as objects:
        reader = RevisionReader(objects, project.prefix, project.cache)
        known = {commit.id: commit for commit in objects.commits(tuple(commits.values()))}
        attempts = {id: attempt_of(commit.message) for id, commit in known.items()}
        plain = [id for id, attempt in attempts.items() if attempt is None]
        read: dict[CommitId, RevisionData | OffbranchError] = {
            **reader.read(plain, param_deps=param_deps),
            **{id: reader.read_attempt(id, attempt.baseline) for id, attempt in attempts.items() if attempt},
        }
        for id in _queued(repo).intersection(plain):
            found = read[id]
            # What its files hold was measured before.
            read[id] = replace(found, metrics={}) if isinstance(found, RevisionData) else found
        sides = {
            name: _side(project, objects, reader, name, known[commit], read, attempts)
            for name, commit in commits.items()
        }
        for name, side in sides.items():
            if (running := find_running(project, repo, name)) is not None:
                sides[name] = _where_it_runs(project, running, side, param_deps=param_deps)
        yield tuple(sides.get(name) or _workspace(project, param_deps=param_deps) for name in names)


def _queued(repo: GitRepo) -> frozenset[CommitId]:
    """Returns the commits of what waits in the queue."""
    return (
        frozenset(CommitId(commit) for _, commit in list_refs(repo, TASKS))
        if may_have_refs(repo, TASKS)
        else frozenset()
    )


def _side(
    project: Project,
    objects: ObjectReader,
    reader: RevisionReader,
    name: str,
    commit: Commit,
    read: Mapping[CommitId, RevisionData | OffbranchError],
    attempts: Mapping[CommitId, Attempt | None],
) -> Side:
    data, wanted = read[commit.id], reader.wanted(commit.tree)
    if isinstance(data, OffbranchError):
        raise data
    if isinstance(wanted, OffbranchError):
        raise wanted
    return Side(
        name=name,
        commit=commit,
        attempt=attempts[commit.id],
        data=data,
        wanted=wanted,
        files=TreeReader(objects, commit.tree, project.prefix),
    )


def _where_it_runs(project: Project, attempt: Attempt, side: Side, *, param_deps: bool) -> Side:
    """Returns the side of an experiment that runs now, with what its files hold at this moment."""
    reader, ignores = where_it_runs(project, attempt)
    wanted = wanted_of(load_pipelines(reader, ignores=ignores, root=reader.root))
    data = read_revision(wanted, DirectoryFiles(reader, project.cache), project.cache, param_deps=param_deps)
    return replace(side, data=data, wanted=wanted, files=reader)


def _workspace(project: Project, *, param_deps: bool) -> Side:
    wanted = wanted_of(load_pipelines(project.reader, ignores=project.ignore.ignores, root=project.root))
    files = DirectoryFiles(project.reader, project.cache)
    data = read_revision(wanted, files, project.cache, param_deps=param_deps)
    return Side(name=WORKSPACE, commit=None, attempt=None, data=data, wanted=wanted, files=project.reader)
