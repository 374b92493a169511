"""Reading pipelines: what has changed, which stages there are, and how they hang together. Changes nothing."""

from collections.abc import Callable, Sequence

from offbranch.api.selecting import select_for
from offbranch.api.session import Session, opened, working_directory
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.plugins import load as load_by_name
from offbranch.base.records import record, replace
from offbranch.experiments.loading import load
from offbranch.experiments.part_changes import parts_differ
from offbranch.experiments.urls import url_access
from offbranch.pipeline.facts import gather_facts
from offbranch.pipeline.graph import Graph, build_graph, upstream
from offbranch.pipeline.options import SelectOptions
from offbranch.pipeline.reasons import Reason, reasons
from offbranch.pipeline.recorded import recorded_outputs
from offbranch.pipeline.select import Selection, select_stages
from offbranch.pipeline.stage import Pipelines, Stage
from offbranch.pipeline.status import StageStatus, examine
from offbranch.project import Project
from offbranch.storage.whole import CacheLook


@record
class StageReport:
    """Attributes:
    stage: The stage.
    status: What differs.
    root: Where the project is; paths outside of it are shown from the top of the file system.
    cwd: Directory of the project that the user is in, which all others are shown from.
    reasons: The same in sentences, the most telling first.
    """

    stage: Stage
    status: StageStatus
    root: AbsPath
    cwd: RepoPath
    reasons: tuple[Reason, ...]


@record
class Dag:
    """The stages asked for and the graph they are part of.

    Attributes:
        graph: Of the whole project.
        addresses: Those to show, dependencies first.
    """

    graph: Graph
    addresses: tuple[str, ...]


def status(
    targets: Sequence[str],
    session: Session,
    *,
    with_deps: bool = False,
    recursive: bool = False,
    updates: bool = False,
) -> tuple[StageReport, ...]:
    """Returns the stages that are not up to date, in execution order.

    Args:
        targets: Which stages; empty means all of the project. Of a path inside a tracked directory only that part is
            compared.
        session: Where.
        with_deps: Also what the targets need.
        recursive: A directory stands for all stages below it.
        updates: Ask the repositories that data was imported from whether they have newer versions; one that cannot be
            reached is a warning.
    """
    with opened(session) as project:
        pipelines = load(project)
        selection = select_for(project, session, pipelines, targets, with_deps=with_deps, recursive=recursive)
        facts = gather_facts(
            selection.stages,
            root=project.root,
            reader=project.reader,
            state=project.state,
            ignore=project.ignore,
            is_cached=CacheLook(cache=project.cache, state=project.state),
            look_at_url=url_access(project, session.reporter).look,
        )
        cwd = working_directory(project, session)
        found = []
        for stage in selection.stages:
            changes = examine(stage, pipelines.locks.get(stage.address), facts)
            changes = _of_parts(project, stage, changes, pipelines, selection)
            if stage.command is None and stage.deps:
                look: Callable[..., StageStatus] = load_by_name("offbranch.experiments.import_status:with_source")
                changes = look(project, stage, changes, updates=updates, start=session.start, reporter=session.reporter)
            if changes.is_changed:
                found.append(
                    StageReport(
                        root=project.root,
                        stage=stage,
                        status=changes,
                        cwd=cwd,
                        reasons=tuple(reasons(stage, changes)),
                    )
                )
        return tuple(found)


def _of_parts(
    project: Project, stage: Stage, status: StageStatus, pipelines: Pipelines, selection: Selection
) -> StageStatus:
    """Returns a status without outputs of which only parts were asked about that have not changed."""
    parts = selection.paths.get(stage.address, ())
    if not status.outs or not parts:
        return status
    asked = recorded_outputs((stage,), pipelines.locks, named=selection.paths)
    same = {one.out.written for one in asked if one.parts and not parts_differ(project, one)}
    return replace(status, outs=tuple(change for change in status.outs if change.item not in same))


def dag(targets: Sequence[str], session: Session) -> Dag:
    """Returns the graph of the project; with targets, only what they need is to be shown."""
    with opened(session) as project:
        pipelines = load(project)
        if not targets:
            _raise_broken(pipelines)
            graph = build_graph(pipelines.stages)
            return Dag(graph=graph, addresses=upstream(graph, graph.stages))
        options = SelectOptions(cwd=working_directory(project, session), single_item=True)
        named = select_stages(pipelines, targets, options).targets
        graph = build_graph(pipelines.stages)
        return Dag(graph=graph, addresses=upstream(graph, named, cut_frozen=False))


def stages(
    session: Session, targets: Sequence[str] = (), *, all_stages: bool = False, recursive: bool = False
) -> tuple[Stage, ...]:
    """Returns stages in file order: those of the directory's pipeline file, of targets, or all of the project."""
    with opened(session) as project:
        pipelines = load(project)
        if all_stages:
            _raise_broken(pipelines)
            return pipelines.stages
        options = SelectOptions(cwd=working_directory(project, session), single_item=True, recursive=recursive)
        named = set(select_stages(pipelines, targets, options).targets)
        return tuple(stage for stage in pipelines.stages if stage.address in named)


def pipelines(session: Session) -> Pipelines:
    """Returns everything the pipeline files of the project say, also what is broken in them."""
    with opened(session) as project:
        return load(project)


def _raise_broken(loaded: Pipelines) -> None:
    for error in loaded.broken.values():
        raise error
