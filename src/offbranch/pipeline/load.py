"""Every dvc.yaml and .dvc file of a project, found, checked and resolved, with what their lock files record.

Reads through `FileReader`, so the same code loads a workspace or a commit. A file or stage that is wrong does not hide
the others: its error goes into `Pipelines.broken`, and the caller decides whether it may go on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from offbranch.base.errors import ConflictError, NotFoundError, OffbranchError
from offbranch.base.files import FileReader, read_text
from offbranch.base.paths import DATA_SUFFIX, DVC_DIR, LOCK_FILE, PIPELINE_FILE, ROOT, AbsPath, RepoPath
from offbranch.base.records import replace
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.context import ReadParams, params_reader
from offbranch.pipeline.datafile import parse_data_file
from offbranch.pipeline.interpolate import ParsingOptions
from offbranch.pipeline.lockfile import parse_lock, parse_locked_datasets
from offbranch.pipeline.resolve import resolve_document
from offbranch.pipeline.schema import check_pipeline
from offbranch.pipeline.stage import (
    DATASET_PREFIX,
    Dataset,
    Dependency,
    LockedStage,
    Pipelines,
    PlotDefinition,
    Stage,
)

Ignores = Callable[[RepoPath, bool], bool]
_NEVER_ENTERED = frozenset((".git", ".dvc", ".hg"))
_DEFAULT_OPTIONS = ParsingOptions()


class _Loading:
    """What has been found so far; becomes a `Pipelines`."""

    def __init__(self, reader: FileReader, options: ParsingOptions, root: AbsPath | None = None) -> None:
        self.reader = reader
        self.options = options
        self.root = root
        self.read_params: ReadParams = params_reader(reader)
        self.stages: list[Stage] = []
        self.locks: dict[str, LockedStage] = {}
        self.top_params: dict[RepoPath, None] = {}
        self.top_metrics: dict[RepoPath, None] = {}
        self.top_plots: list[PlotDefinition] = []
        self.artifacts: dict[str, Any] = {}
        self.datasets: dict[str, Dataset] = {}
        self.template_params: dict[RepoPath, dict[str, None]] = {}
        self.broken: dict[str, Exception] = {}
        self.files: list[RepoPath] = []
        self.outputs: set[str] = set()


def load_pipelines(
    reader: FileReader,
    *,
    ignores: Ignores,
    only: RepoPath | None = None,
    options: ParsingOptions = _DEFAULT_OPTIONS,
    root: AbsPath | None = None,
) -> Pipelines:
    """Loads all pipelines of a project.

    Args:
        reader: The tree to read.
        ignores: Tells whether a path (and: it is a directory) is left out by .dvcignore.
        only: Load just this dvc.yaml or .dvc file, without looking for others.
        options: How maps in commands are written (configuration section `parsing`).
        root: Where the project is on disk, to know absolute paths that lead into it; None if it is nowhere.

    Returns:
        All that could be resolved; the root directory first, in a directory dvc.yaml first and then the .dvc files by
        name. Files that are malformed and stages that cannot be resolved are in `broken`, by path or address.

    Raises:
        NotFoundError: The file named by `only` does not exist.
    """
    loading = _Loading(reader, options, root)
    if only is not None:
        if not reader.is_file(only):
            raise NotFoundError(f"'{only}' does not exist")
        _load_file(loading, only)
    else:
        for directory, names in _directories(loading, ignores):
            for name in names:
                _load_file(loading, RepoPath(f"{directory}/{name}" if directory else name))
    return Pipelines(
        stages=_with_datasets(loading.stages, loading.datasets),
        locks=loading.locks,
        top_params=tuple(loading.top_params),
        top_metrics=tuple(loading.top_metrics),
        top_plots=tuple(loading.top_plots),
        artifacts=loading.artifacts,
        datasets=loading.datasets,
        template_params={path: tuple(keys) for path, keys in loading.template_params.items()},
        files=tuple(loading.files),
        broken=loading.broken,
    )


def find_files(reader: FileReader, *, ignores: Ignores) -> tuple[RepoPath, ...]:
    """Returns the paths of every dvc.yaml and .dvc file, without reading any; tracked directories are entered too."""
    loading = _Loading(reader, _DEFAULT_OPTIONS)
    return tuple(
        RepoPath(f"{directory}/{name}" if directory else name)
        for directory, names in _directories(loading, ignores)
        for name in names
    )


def _directories(loading: _Loading, ignores: Ignores) -> Iterator[tuple[RepoPath, list[str]]]:
    """Yields each directory with the files to load in it, the parent before its children.

    What is loaded meanwhile decides where to go: a tracked directory may hold a million files and no pipeline.
    """
    waiting = [ROOT]
    while waiting:
        directory = waiting.pop()
        entries = loading.reader.list_dir(directory)
        if directory and (DVC_DIR, True) in entries:
            # A project of its own inside this one.
            continue
        prefix = f"{directory}/" if directory else ""
        names: list[str] = []
        below: list[RepoPath] = []
        for name, is_dir in entries:
            if is_dir:
                if name not in _NEVER_ENTERED:
                    below.append(RepoPath(prefix + name))
            elif (name == PIPELINE_FILE or name.endswith(DATA_SUFFIX)) and not ignores(RepoPath(prefix + name), False):
                names.append(name)
        if names:
            names.sort(key=lambda name: (name != PIPELINE_FILE, name))
            yield directory, names
        waiting += [path for path in reversed(below) if path not in loading.outputs and not ignores(path, True)]


def _load_file(loading: _Loading, path: RepoPath) -> None:
    before = len(loading.stages)
    loading.files.append(path)
    try:
        text = read_text(loading.reader, path)
        if path.endswith(DATA_SUFFIX):
            _load_data_file(loading, text, path)
        else:
            _load_pipeline(loading, text, path)
    except (OffbranchError, FileNotFoundError) as error:
        loading.broken[path] = error
    for stage in loading.stages[before:]:
        loading.outputs.update(out.path for out in stage.outs if out.path)


def _load_data_file(loading: _Loading, text: str, path: RepoPath) -> None:
    stage, locked = parse_data_file(text, path)
    loading.stages.append(stage)
    loading.locks[stage.address] = locked


def _load_pipeline(loading: _Loading, text: str, path: RepoPath) -> None:
    document = load_yaml(text, path)
    check_pipeline(document, text=text, path=path)
    resolved = resolve_document(
        document, text=text, path=path, read=loading.read_params, options=loading.options, root=loading.root
    )
    loading.stages.extend(resolved.stages)
    loading.broken.update(resolved.broken)
    loading.top_params.update(dict.fromkeys(resolved.top_params))
    for file, keys in resolved.template_params.items():
        loading.template_params.setdefault(file, {}).update(dict.fromkeys(keys))
    loading.top_metrics.update(dict.fromkeys(resolved.top_metrics))
    loading.top_plots.extend(resolved.top_plots)
    prefix = "" if path == PIPELINE_FILE else f"{path}:"
    loading.artifacts.update({f"{prefix}{name}": artifact for name, artifact in resolved.artifacts.items()})
    lock = RepoPath(path.removesuffix(PIPELINE_FILE) + LOCK_FILE)
    if resolved.datasets:
        _load_datasets(loading, resolved.datasets, path, lock)
    if resolved.stages:
        _load_lock(loading, resolved.stages, lock)


def _load_datasets(loading: _Loading, datasets: Iterable[Mapping[str, Any]], path: RepoPath, lock: RepoPath) -> None:
    try:
        locked: Mapping[str, Mapping[str, Any]] = parse_locked_datasets(read_text(loading.reader, lock), lock)
    except (FileNotFoundError, OffbranchError):
        locked = {}  # what is wrong with the lock file is said when its stages are loaded
    for fields in datasets:
        name = str(fields["name"])
        dataset = Dataset(name=name, fields=fields, locked=locked.get(name), file=path)
        other = loading.datasets.setdefault(name, dataset)
        if other is not dataset:
            raise ConflictError(
                f"the dataset '{name}' is defined twice, in '{other.file}' and in '{path}'",
                hint="rename one of the two",
            )


def _with_datasets(stages: Iterable[Stage], datasets: Mapping[str, Dataset]) -> tuple[Stage, ...]:
    """Returns stages whose `ds://` dependencies know what they name; a dataset may be defined in any file."""

    def known(dependency: Dependency) -> Dependency:
        if not dependency.written.startswith(DATASET_PREFIX):
            return dependency
        return replace(dependency, dataset=datasets.get(dependency.written.removeprefix(DATASET_PREFIX)))

    return tuple(
        replace(stage, deps=tuple(map(known, stage.deps)))
        if any(dependency.written.startswith(DATASET_PREFIX) for dependency in stage.deps)
        else stage
        for stage in stages
    )


def _load_lock(loading: _Loading, stages: tuple[Stage, ...], path: RepoPath) -> None:
    try:
        entries: Mapping[str, LockedStage] = parse_lock(read_text(loading.reader, path), path)
    except FileNotFoundError:
        return
    except OffbranchError as error:
        loading.broken[path] = error
        return
    for stage in stages:
        if stage.name is not None and (entry := entries.get(stage.name)) is not None:
            loading.locks[stage.address] = entry
