"""Recording what is in the workspace as it is: outputs into the cache, hashes into dvc.lock and .dvc files."""

from collections.abc import Iterable, Mapping

from offbranch.base.errors import MissingDataError, UsageError
from offbranch.base.paths import RepoPath, join
from offbranch.pipeline.deciding import facts_of
from offbranch.pipeline.facts import Facts
from offbranch.pipeline.plan import content_of, locked_item
from offbranch.pipeline.recorded import recorded_outputs
from offbranch.pipeline.recording import record_outputs, record_stage
from offbranch.pipeline.stage import LockedItem, Pipelines, Stage, item_key
from offbranch.pipeline.status import examine
from offbranch.pipeline.workbench import Workbench
from offbranch.storage.part import save_part


def commit_stages(
    pipelines: Pipelines,
    stages: Iterable[Stage],
    bench: Workbench,
    *,
    force: bool,
    relink: bool,
    named: Mapping[str, tuple[RepoPath, ...]] | None = None,
) -> tuple[RepoPath, ...]:
    """Records the present content of stages; returns the files that were written.

    Args:
        named: Address -> paths inside outputs, where only those are to be recorded and the rest stays as it is.

    Raises:
        UsageError: What a stage reads has changed since it ran, and `force` is not given; nothing has been written.
        MissingDataError: A stage has some of its outputs and lacks others; likewise.
    """
    stages = tuple(stages)
    facts = facts_of(bench, stages)
    if not force:
        _refuse_stale(pipelines, stages, facts)
    _refuse_partial(stages, facts)
    written: dict[RepoPath, None] = {}
    for stage in stages:
        parts = named.get(stage.address, ()) if named else ()
        if parts and not {out.path for out in stage.outs}.intersection(parts):
            written.update(dict.fromkeys(_commit_parts(stage, pipelines, bench, parts, relink=relink)))
        elif any(facts.contents[item_key(stage, out)] is not None for out in stage.outs) or not stage.outs:
            locked = pipelines.locks.get(stage.address)
            written.update(dict.fromkeys(record_stage(stage, locked, facts, bench, relink=relink)))
    return tuple(written)


def _commit_parts(
    stage: Stage, pipelines: Pipelines, bench: Workbench, parts: tuple[RepoPath, ...], *, relink: bool
) -> tuple[RepoPath, ...]:
    items: dict[str, LockedItem] = {}
    locks = pipelines.locks
    for output in recorded_outputs((stage,), locks, named={stage.address: parts}):
        before = content = content_of(output.item)
        for part in output.parts:
            saved = content and save_part(
                join(bench.root, output.path),
                RepoPath(part[len(output.path) + 1 :]),
                content,
                cache=bench.cache,
                state=bench.state,
                ignore=bench.ignore,
                rel=output.path,
                relink=relink,
                reporter=bench.reporter,
            )
            if saved is None:
                raise MissingDataError(
                    f"'{part}' cannot be recorded alone: what is recorded of '{output.path}' is not in the cache",
                    hint=f"record the whole: ob commit {output.path}; or get it back: ob fetch {output.path}",
                )
            content = saved
        if content is not None and content != before:
            items[output.out.written] = locked_item(output.out.written, content)
    return record_outputs(stage, locks[stage.address], items, bench) if items else ()


def _refuse_partial(stages: Iterable[Stage], facts: Facts) -> None:
    for stage in stages:
        there = [facts.contents[item_key(stage, out)] is not None for out in stage.outs]
        if any(there) and not all(there):
            missing = stage.outs[there.index(False)].written
            raise MissingDataError(
                f"cannot record the outputs of '{stage.address}': '{missing}' does not exist",
                hint=f"bring it back: ob checkout; or make it: ob repro {stage.address}",
            )


def _refuse_stale(pipelines: Pipelines, stages: Iterable[Stage], facts: Facts) -> None:
    for stage in stages:
        status = examine(stage, pipelines.locks.get(stage.address), facts)
        if stage.command is not None and (status.command or status.deps):
            raise UsageError(
                f"what '{stage.address}' reads has changed since it ran, so its outputs may be out of date",
                hint=f"run it: ob repro {stage.address}; or record it as it is: ob commit -f {stage.address}",
            )
