"""Which stages a command is about, and in which order: targets and flags -> a `Selection`."""

from collections.abc import Mapping, Sequence

from offbranch.base.errors import NotFoundError
from offbranch.base.paths import PIPELINE_FILE, RepoPath
from offbranch.base.records import field, record
from offbranch.pipeline.graph import Graph, build_graph, component, downstream, in_order, upstream
from offbranch.pipeline.options import SelectOptions
from offbranch.pipeline.stage import Pipelines, Stage
from offbranch.pipeline.targets import Target, resolve_targets


@record
class Selection:
    """Attributes:
    stages: In execution order.
    parents: Address -> addresses of the stages it directly needs.
    targets: Addresses that were named, or stand for the default.
    paths: Address -> outputs, or paths inside outputs, that were named; a stage that was named as a whole is not here.
    """

    stages: tuple[Stage, ...]
    parents: Mapping[str, tuple[str, ...]]
    targets: tuple[str, ...]
    paths: Mapping[str, tuple[RepoPath, ...]] = field(default_factory=dict)


def select_stages(pipelines: Pipelines, targets: Sequence[str], options: SelectOptions) -> Selection:
    """Returns the stages that a command with these targets is about.

    Raises:
        NotFoundError: A target, or the default pipeline file, does not exist.
        OffbranchError: A pipeline file is malformed, or the graph breaks a rule.
    """
    paths: dict[str, tuple[RepoPath, ...]] = {}
    named = _named(pipelines, targets, options, paths)
    graph = build_graph(pipelines.stages)
    addresses = _select(graph, named, options)
    stages = tuple(graph.stages[address] for address in addresses)
    return Selection(stages=stages, parents=graph.needs, targets=named, paths=paths)


def _named(
    pipelines: Pipelines,
    targets: Sequence[str],
    options: SelectOptions,
    paths: dict[str, tuple[RepoPath, ...]],
) -> tuple[str, ...]:
    if options.all_pipelines or not targets:
        for error in pipelines.broken.values():
            raise error
    if options.all_pipelines:
        return tuple(stage.address for stage in pipelines.stages)
    if targets:
        found = resolve_targets(pipelines, targets, cwd=options.cwd, glob=options.glob, recursive=options.recursive)
        paths.update(_paths_of(found))
        return tuple(dict.fromkeys(target.stage.address for target in found))
    file = RepoPath(f"{options.cwd}/{PIPELINE_FILE}" if options.cwd else PIPELINE_FILE)
    default = tuple(stage.address for stage in pipelines.stages if stage.file == file)
    if not default and not _has_file(pipelines, file):
        raise NotFoundError(
            f"there is no '{file}'",
            hint="add a stage with 'ob stage add', or name a target; -P runs every pipeline of the project",
        )
    return default


def _paths_of(found: Sequence[Target]) -> dict[str, tuple[RepoPath, ...]]:
    """Returns the outputs (or paths inside them) that were named, by stage; none of a stage that was named itself."""
    whole = {target.stage.address for target in found if target.path is None}
    paths: dict[str, tuple[RepoPath, ...]] = {}
    for target in found:
        address = target.stage.address
        if target.path is not None and address not in whole:
            paths[address] = (*paths.get(address, ()), target.path)
    return paths


def _select(graph: Graph, named: tuple[str, ...], options: SelectOptions) -> tuple[str, ...]:
    if options.all_pipelines:
        return in_order(graph)
    if options.single_item:
        return in_order(graph, named)
    if options.pipeline:
        return component(graph, named)
    return downstream(graph, named) if options.downstream else upstream(graph, named)


def _has_file(pipelines: Pipelines, file: RepoPath) -> bool:
    return file in pipelines.files
