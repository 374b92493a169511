"""Parameters and metrics as one nested value: `params_show` and `metrics_show` with the signatures of `dvc.api`."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from offbranch.api.python_files import read
from offbranch.api.python_place import Where, git_repo_of, project_of, where_is
from offbranch.base.errors import OffbranchError
from offbranch.base.paths import ROOT, AbsPath, GitPath, RepoPath, resolve_in
from offbranch.experiments.loading import load
from offbranch.experiments.merged_values import (
    ParamChoice,
    is_absent,
    merged,
    metric_entries,
    only_files,
    param_entries,
    value_of,
)
from offbranch.experiments.refs import resolve_any
from offbranch.experiments.revision_files import DirectoryFiles, RevisionFiles, parse_metrics
from offbranch.experiments.revision_metrics import metric_values
from offbranch.experiments.revision_pipelines import PipelineMemory
from offbranch.experiments.revision_reader import CommitFiles
from offbranch.git.objects import ObjectReader
from offbranch.pipeline.stage import Pipelines
from offbranch.storage.local import LocalCache

Text = str | os.PathLike[str]
Exists = Callable[[RepoPath], bool]


def params_show(
    *targets: Text,
    repo: Text | None = None,
    stages: str | Iterable[str] | None = None,
    rev: str | None = None,
    deps: bool = False,
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns parameters as one nested dict.

    Args:
        targets: Only these files, whole; as seen from the current directory, else from the top of the project.
        repo: Directory or Git url of the project; by default the one around the current directory.
        stages: Only what these stages depend on.
        rev: Git revision or experiment; by default the workspace, or the default branch of what is elsewhere.
        deps: Only what some stage depends on.
        config: Settings laid over the project's own, as nested maps.

    Returns:
        The values by their keys. A top-level key that several files have is `file:key` for each of them.

    Raises:
        NotFoundError: There is no such file, stage, revision or repository.
        BadInputError: A file is malformed.
    """
    where = where_is(repo)
    names = (stages,) if isinstance(stages, str) else tuple(stages or ())
    with _revision(where, rev, config) as (pipelines, files, cache):
        choice = ParamChoice(targets=_targets(where, targets, files), stages=names, deps=deps, cwd=where.cwd)
        entries = param_entries(pipelines, files, cache, choice)
    return merged({_seen_from(where, path, rev): value_of(path, entry) for path, entry in entries.items()})


def metrics_show(
    *targets: Text, repo: Text | None = None, rev: str | None = None, config: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns metrics as one nested dict: numbers and texts at any depth, without lists.

    What is neither in the workspace nor in the cache is read from the data remote. Arguments, result and errors are those
    of `params_show`; also:

    Raises:
        MissingDataError: A metric is data that is nowhere.
    """
    where = where_is(repo)
    with _revision(where, rev, config) as (pipelines, files, cache):
        chosen = _targets(where, targets, files)
        entries = metric_entries(pipelines, files, cache, chosen)
    values = {}
    for path, entry in entries.items():
        found = _from_remote(where, path, rev, config) if is_absent(entry) else None
        values[_seen_from(where, path, rev)] = value_of(path, entry) if found is None else found[0]
    return merged(values)


@contextmanager
def _revision(
    where: Where, rev: str | None, config: Mapping[str, Any] | None
) -> Iterator[tuple[Pipelines, RevisionFiles, LocalCache]]:
    """Opens what is meant: pipelines, files, and where cached metrics may be."""
    project = project_of(where, config) if where.root is not None else None
    try:
        if rev is None and project is not None:
            yield load(project), DirectoryFiles(project.reader, project.cache), project.cache
            return
        repo = project.repo if project is not None and project.repo is not None else git_repo_of(where)
        prefix = project.prefix if project is not None else GitPath("")
        cache = project.cache if project is not None else LocalCache(AbsPath(os.path.join(repo.git_dir, "no-cache")))
        with ObjectReader(repo) as objects:
            tree = objects.commit(resolve_any(repo, rev or "HEAD")).tree
            pipelines = PipelineMemory(objects, prefix, understand=_as_it_is).wanted(tree)
            if isinstance(pipelines, OffbranchError):
                raise pipelines
            yield pipelines, CommitFiles(objects, tree, prefix, cache, {}, {}), cache
    finally:
        if project is not None:
            project.state.close()


def _targets(where: Where, targets: tuple[Text, ...], files: RevisionFiles) -> tuple[RepoPath, ...]:
    found: list[RepoPath | None] = []
    for target in targets:
        text = os.fspath(target)
        if os.path.isabs(text) and where.root is not None:
            text = os.path.relpath(os.path.realpath(text), where.session.start)
        paths = [path for base in (where.cwd, ROOT) if (path := resolve_in(base, text)) is not None]
        there = (path for path in paths if files.is_file(path) or files.files_below(path))
        found.append(next(there, paths[0] if paths else None))
    return only_files(found)


def _seen_from(where: Where, path: str, rev: str | None) -> str:
    """Returns a path as it stands before a key: seen from the current directory, if the workspace is meant."""
    return os.path.relpath(path, where.cwd) if where.cwd and rev is None else path


def _from_remote(
    where: Where, path: str, rev: str | None, config: Mapping[str, Any] | None
) -> tuple[dict[str, Any]] | None:
    try:
        content = read(path, repo=where.url, rev=rev, mode="rb", config=config)
    except OffbranchError:  # the entry says why it could not be read
        return None
    return (metric_values(parse_metrics(content, path)),)


def _as_it_is(pipelines: Pipelines) -> Pipelines:
    return pipelines
