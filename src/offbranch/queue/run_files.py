"""Which files change when experiments and their metrics do: for whoever follows them by looking at times of files alone."""

import os
from collections.abc import Iterator

from offbranch.base.errors import OffbranchError
from offbranch.base.files import DirectoryReader
from offbranch.base.paths import LOCK_FILE, PIPELINE_FILE, AbsPath
from offbranch.base.records import record
from offbranch.experiments.attempts import RUNS_DIR, attempt_dir, read_records
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.running import has_own_directory, where_it_runs
from offbranch.experiments.wanted import Wanted, wanted_of
from offbranch.git.repository import GitRepo
from offbranch.pipeline.load import Ignores, load_pipelines
from offbranch.project import Project

_REFS = ("refs/exps", "refs/ob", "refs/heads")


@record
class RunPlace:
    """A directory that something runs in, or the workspace.

    Attributes:
        root: The directory.
        attempt: What runs there; None for the workspace as it is.
        wanted: What its pipelines name; None where they cannot be understood.
    """

    root: AbsPath
    attempt: Attempt | None
    wanted: Wanted | None


def running_places(project: Project) -> tuple[RunPlace, ...]:
    """Returns where experiments run at this moment, newest first, the workspace left out."""
    running = (each for each in read_records(project.root) if each.state is AttemptState.RUNNING)
    found = []
    for attempt in running:
        if attempt.true_state is AttemptState.RUNNING and has_own_directory(project, attempt):
            reader, ignores = where_it_runs(project, attempt)
            found.append(RunPlace(root=reader.root, attempt=attempt, wanted=_wanted(reader, ignores)))
    return tuple(found)


def workspace_place(project: Project) -> RunPlace:
    """Returns the workspace."""
    return RunPlace(root=project.root, attempt=None, wanted=_wanted(project.reader, project.ignore.ignores))


def files_of_place(place: RunPlace) -> Iterator[str]:
    """Yields the files whose change may change what is shown of a place; directories with what is in them."""
    names = [PIPELINE_FILE, LOCK_FILE]
    if place.wanted is not None:
        names += [*place.wanted.params, *place.wanted.metrics, *place.wanted.locks]
        names += [path.replace(LOCK_FILE, PIPELINE_FILE) for path in place.wanted.locks]
    for name in dict.fromkeys(names):
        path = os.path.join(place.root, name)
        yield path
        if os.path.isdir(path):
            yield from (entry.path for entry in os.scandir(path))


def files_of_experiments(project: Project, repo: GitRepo) -> Iterator[str]:
    """Yields the files and directories that change with refs, HEAD, and the records of attempts."""
    yield from (os.path.join(repo.git_dir, name) for name in ("HEAD", "logs/HEAD"))
    for prefix in _REFS if repo.plain_refs else ():
        top = os.path.join(repo.common_dir, *prefix.split("/"))
        yield from (directory for directory, _, _ in os.walk(top))
    runs = os.path.join(project.root, RUNS_DIR)
    yield runs
    for attempt in read_records(project.root):
        if attempt.state is AttemptState.RUNNING:
            yield os.path.join(attempt_dir(project.root, attempt.id), "attempt.json")


def _wanted(reader: DirectoryReader, ignores: Ignores) -> Wanted | None:
    try:
        return wanted_of(load_pipelines(reader, ignores=ignores, root=reader.root))
    except (OffbranchError, OSError):
        return None
