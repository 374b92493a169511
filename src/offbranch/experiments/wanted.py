"""What of a revision is shown: which parameter files and keys, metric files, dependencies and outputs its pipelines name.

Made from resolved pipelines alone, so one answer holds for every revision whose pipeline files are the same; the values
come from `revision.py`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from offbranch.base.errors import NotFoundError, OffbranchError, did_you_mean
from offbranch.base.paths import LOCK_FILE, PARAMS_FILE, PIPELINE_FILE, RepoPath
from offbranch.base.records import record, replace
from offbranch.pipeline.stage import DATASET_PREFIX, Dependency, LockedStage, Output, OutputKind, Pipelines, Stage

_DEFAULT_PARAMS: Final = RepoPath(PARAMS_FILE)
# Where imported dependencies come from when that is no file of this project.
_FOREIGN = frozenset(("repo", "db"))


@record
class Item:
    """A dependency or output, and where its hash is recorded.

    Attributes:
        shown: Path relative to the project root, or the external path.
        lock: The lock file, or the .dvc file that is its own record.
        stage: Name of its entry in the lock file; None in a .dvc file.
        written: The path text in the record.
        use_cache: For an output: whether it is kept in the cache.
        is_data_source: For an output: whether a .dvc file without command defines it.
    """

    shown: RepoPath
    lock: RepoPath
    stage: str | None
    written: str
    use_cache: bool = True
    is_data_source: bool = False


@record
class Wanted:
    """What to read of a revision.

    Attributes:
        params: File -> dotted keys; None for the whole file.
        param_deps: The same for parameters that stages depend on, no others.
        template_params: File that only templates read -> the dotted keys that they read.
        metrics: Files or directories, in order.
        deps: Dependencies that are files or directories.
        outs: Outputs but metrics and plots.
        recorded: Every output, by path: where the content of a cached metric is recorded.
        locks: The lock files of all stages.
        data: What .dvc files record.
    """

    params: Mapping[RepoPath, tuple[str, ...] | None]
    param_deps: Mapping[RepoPath, tuple[str, ...] | None]
    template_params: Mapping[RepoPath, tuple[str, ...]]
    metrics: tuple[RepoPath, ...]
    deps: tuple[Item, ...]
    outs: tuple[Item, ...]
    recorded: Mapping[RepoPath, Item]
    locks: tuple[RepoPath, ...]
    data: Mapping[RepoPath, LockedStage]


def wanted_of(pipelines: Pipelines) -> Wanted:
    """Returns what to read of a revision with these pipelines.

    Raises:
        OffbranchError: One of its files is malformed; the first one is named.
    """
    for error in pipelines.broken.values():
        raise error if isinstance(error, OffbranchError) else OffbranchError(str(error))
    used = _stage_params(pipelines.stages)
    by_templates = pipelines.template_params
    whole = [path for path in pipelines.top_params if path not in by_templates]
    stage_metrics = _outputs_of(pipelines, OutputKind.METRIC)
    outputs = [(stage, out) for stage in pipelines.stages for out in stage.outs]
    return Wanted(
        params={**used, **dict.fromkeys((*whole, _DEFAULT_PARAMS))},
        param_deps=used,
        template_params={
            path: keys for path, keys in by_templates.items() if path not in used and path != _DEFAULT_PARAMS
        },
        metrics=tuple(dict.fromkeys((*stage_metrics, *pipelines.top_metrics))),
        deps=tuple(
            _item(stage, dep)
            for stage in pipelines.stages
            for dep in stage.deps
            if not dep.written.startswith(DATASET_PREFIX) and (dep.source is None or not _FOREIGN & dep.source.keys())
        ),
        outs=tuple(_item(stage, out) for stage, out in outputs if out.kind is OutputKind.OUT),
        recorded={out.path: _item(stage, out) for stage, out in outputs if out.path is not None},
        locks=tuple(dict.fromkeys(_record_of(stage) for stage in pipelines.stages if stage.name is not None)),
        data={stage.file: pipelines.locks[stage.address] for stage in pipelines.stages if stage.name is None},
    )


def wanted_of_stages(names: Collection[str]) -> Callable[[Pipelines], Wanted]:
    """Returns a `wanted_of` whose parameters are those that some stages depend on, no others.

    Args:
        names: Names of stages, with their file where it is not that of the project: `eval/dvc.yaml:score`. One that is not
            there is a NotFoundError of the function.
    """
    names = [name.removeprefix(f"{PIPELINE_FILE}:") for name in names]

    def wanted(pipelines: Pipelines) -> Wanted:
        known = {name for stage in pipelines.stages for name in (stage.address, stage.name) if name is not None}
        for name in names:
            if name not in known:
                raise NotFoundError(f"there is no stage '{name}'", hint=did_you_mean(name, known))
        chosen = [stage for stage in pipelines.stages if stage.address in names or stage.name in names]
        params = _stage_params(chosen)
        return replace(wanted_of(pipelines), params=params, param_deps=params, template_params={})

    return wanted


def _stage_params(stages: Iterable[Stage]) -> dict[RepoPath, tuple[str, ...] | None]:
    keys: dict[RepoPath, dict[str, None] | None] = {}
    for stage in stages:
        for dep in stage.params:
            path = dep.path if dep.path is not None else RepoPath(dep.written)
            if not dep.keys:
                keys[path] = None
            elif (known := keys.setdefault(path, {})) is not None:
                known.update(dict.fromkeys(dep.keys))
    return {path: None if names is None else tuple(names) for path, names in keys.items()}


def _outputs_of(pipelines: Pipelines, kind: OutputKind) -> Iterator[RepoPath]:
    for stage in pipelines.stages:
        for out in stage.outs:
            if out.kind is kind and out.path is not None:
                yield out.path


def _item(stage: Stage, item: Dependency | Output) -> Item:
    is_out = isinstance(item, Output)
    return Item(
        shown=item.path if item.path is not None else RepoPath(item.written),
        lock=_record_of(stage),
        stage=stage.name,
        written=item.written,
        use_cache=item.cache if isinstance(item, Output) else True,
        is_data_source=is_out and stage.command is None,
    )


def _record_of(stage: Stage) -> RepoPath:
    if stage.name is None:
        return stage.file
    return RepoPath(stage.file.removesuffix(PIPELINE_FILE) + LOCK_FILE)
