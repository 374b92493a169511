"""The revisions that plots are drawn of, and their files: a workspace, a commit, or the directory of a running experiment.

A file comes from the tree of the revision, or as data from the cache, as dvc.lock or a .dvc file of that revision records
it. Nothing is checked out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from offbranch.base.errors import MissingDataError, OffbranchError
from offbranch.base.files import FileReader
from offbranch.base.paths import RepoPath, is_same_or_inside, parent
from offbranch.base.records import record
from offbranch.experiments.attempts import attempt_of
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.loading import load, parsing_options
from offbranch.experiments.revision_files import no_such_file
from offbranch.experiments.running import find_running, where_it_runs
from offbranch.experiments.sides import find_commit
from offbranch.experiments.used import RevisionOutputs
from offbranch.git.objects import ObjectReader
from offbranch.git.repository import GitRepo
from offbranch.git.tree_reader import TreeReader
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.recorded import RecordedOutput, all_recorded
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory

WORKSPACE = "workspace"


class PlotFiles:
    """The files of one revision.

    Args:
        reader: Its tree.
        recorded: What it records of outputs, by path; where the tree has no such file, it is taken from the cache.
        cache: Where that is.
        is_left_over: Tells of a file of the tree that it is from before, and counts as not there.
    """

    def __init__(
        self,
        reader: FileReader,
        recorded: Mapping[RepoPath, RecordedOutput],
        cache: LocalCache,
        *,
        is_left_over: Callable[[RepoPath], bool] = lambda path: False,
    ) -> None:
        self._reader = reader
        self._recorded = recorded
        self._cache = cache
        self._is_left_over = is_left_over

    def expand(self, path: RepoPath) -> tuple[RepoPath, ...]:
        """Returns a file as itself, a directory as all files below it by name; nothing where there is neither.

        Raises:
            MissingDataError: It is data whose directory object is not in the cache.
        """
        if self._is_there(path):
            return (path,)
        below = tuple(self._walk(path))
        return below or tuple(sorted(self._data(path)))

    def read(self, path: RepoPath) -> bytes:
        """Returns the content of a file.

        Raises:
            FileNotFoundError: The revision has no such file.
            MissingDataError: It is data that is not in the cache.
        """
        if self._is_there(path):
            return self._reader.read_bytes(path)
        id = self._data(path).get(path)
        if id is None:
            raise no_such_file(path)
        for store in self._stores(path):
            if store.has(id):
                return store.read_bytes(id)
        raise MissingDataError(f"'{path}' is not in the cache", hint=f"get it from its data remote: ob fetch {path}")

    def _is_there(self, path: RepoPath) -> bool:
        return self._reader.is_file(path) and not self._is_left_over(path)

    def _walk(self, path: RepoPath) -> Iterator[RepoPath]:
        for name, is_dir in sorted(self._reader.list_dir(path)):
            below = RepoPath(f"{path}/{name}")
            if is_dir:
                yield from self._walk(below)
            elif not self._is_left_over(below):
                yield below

    def _data(self, path: RepoPath) -> dict[RepoPath, ObjectId]:
        """Returns the recorded files that a path is, or holds."""
        owner = self._owner(path)
        if owner is None:
            return {}
        place, id = owner.path, owner.id
        if not is_directory(id):
            return {place: id} if place == path else {}
        for store in self._stores(path):
            if store.has(id):
                below = {RepoPath(f"{place}/{name}"): each for name, each in store.listing(id).entries.items()}
                return {name: each for name, each in below.items() if is_same_or_inside(name, path)}
        raise MissingDataError(
            f"what '{place}' holds is not known here: its directory object is not in the cache",
            hint=f"get it from its data remote: ob fetch {place}",
        )

    def _owner(self, path: RepoPath) -> RecordedOutput | None:
        """Returns the output that a path is, or lies in."""
        place = path
        while place and place not in self._recorded:
            place = parent(place)
        return self._recorded[place] if place else None

    def _stores(self, path: RepoPath) -> tuple[LocalCache, ...]:
        owner = self._owner(path)
        return (self._cache, self._cache.legacy_view()) if owner is not None and owner.is_legacy else (self._cache,)


@record
class PlotRevision:
    """One revision.

    Attributes:
        name: As the user gave it.
        pipelines: What it defines; None when that cannot be understood.
        error: Why not.
        files: Its files.
    """

    name: str
    pipelines: Pipelines | None
    files: PlotFiles
    error: OffbranchError | None = None


@contextmanager
def open_revisions(project: Project, repo: GitRepo | None, names: Sequence[str]) -> Iterator[tuple[PlotRevision, ...]]:
    """Opens revisions for reading.

    Args:
        project: Whose they are.
        repo: Where commits are; None where there is none, and only the workspace can be read.
        names: Git revisions, experiments (also running ones), attempts that failed, `workspace`.

    Yields:
        One per name, in their order.

    Raises:
        NotFoundError: A name stands for nothing.
    """
    if repo is None:
        yield tuple(_workspace(project) for _ in names)
        return
    with ObjectReader(repo) as objects:
        outputs = RevisionOutputs(objects, project.prefix, project.cache)
        yield tuple(_open(project, repo, objects, outputs, name) for name in names)


def _open(project: Project, repo: GitRepo, objects: ObjectReader, outputs: RevisionOutputs, name: str) -> PlotRevision:
    if name == WORKSPACE:
        return _workspace(project)
    running = find_running(project, repo, name)
    if running is not None:
        return _running(project, name, running)
    commit = objects.commit(find_commit(project, repo, name))
    tree = commit.tree
    reader = TreeReader(objects, tree, project.prefix)
    try:
        pipelines = outputs.pipelines_of(tree)
    except OffbranchError as error:
        return PlotRevision(name=name, pipelines=None, files=PlotFiles(reader, {}, project.cache), error=error)
    attempt = attempt_of(commit.message)
    if attempt is not None:
        before = TreeReader(objects, objects.commit(attempt.baseline).tree, project.prefix)
        return PlotRevision(name=name, pipelines=pipelines, files=_written(pipelines, reader, before, project.cache))
    return PlotRevision(name=name, pipelines=pipelines, files=PlotFiles(reader, all_recorded(pipelines), project.cache))


def _written(pipelines: Pipelines, reader: FileReader, before: FileReader, cache: LocalCache) -> PlotFiles:
    """Returns the files of an attempt that did not end well: outputs that are as in its baseline are not from it."""
    outputs = {out.path for stage in pipelines.stages for out in stage.outs}

    def is_left_over(path: RepoPath) -> bool:
        is_output = any(each in outputs for each in (path, *_above(path)))
        return is_output and before.is_file(path) and before.read_bytes(path) == reader.read_bytes(path)

    return PlotFiles(reader, {}, cache, is_left_over=is_left_over)


def _above(path: RepoPath) -> Iterator[RepoPath]:
    while path := parent(path):
        yield path


def _workspace(project: Project) -> PlotRevision:
    pipelines = load(project)
    files = PlotFiles(project.reader, all_recorded(pipelines), project.cache)
    return PlotRevision(name=WORKSPACE, pipelines=pipelines, files=files)


def _running(project: Project, name: str, attempt: Attempt) -> PlotRevision:
    """Reads where an experiment runs; what dvc.lock records there is of an earlier run, so only the disk counts."""
    reader, ignores = where_it_runs(project, attempt)
    pipelines = load_pipelines(reader, ignores=ignores, options=parsing_options(project), root=reader.root)
    return PlotRevision(name=name, pipelines=pipelines, files=PlotFiles(reader, {}, project.cache))
