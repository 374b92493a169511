"""Recording what is in the workspace as it is: outputs into the cache, hashes into dvc.lock and .dvc files."""

from collections.abc import Iterable

from offbranch.base.errors import UsageError
from offbranch.base.paths import RepoPath
from offbranch.pipeline.carry_out import record_stage
from offbranch.pipeline.execute import facts_of
from offbranch.pipeline.facts import Facts
from offbranch.pipeline.stage import Pipelines, Stage, item_key
from offbranch.pipeline.status import examine
from offbranch.pipeline.workbench import Workbench


def commit_stages(
    pipelines: Pipelines, stages: Iterable[Stage], bench: Workbench, *, force: bool, relink: bool
) -> tuple[RepoPath, ...]:
    """Records the present content of stages; returns the files that were written.

    Raises:
        UsageError: What a stage reads has changed since it ran, and `force` is not given; nothing has been written.
    """
    stages = tuple(stages)
    facts = facts_of(bench, stages)
    if not force:
        _refuse_stale(pipelines, stages, facts)
    written: dict[RepoPath, None] = {}
    for stage in stages:
        if any(facts.contents[item_key(stage, out)] is not None for out in stage.outs) or not stage.outs:
            locked = pipelines.locks.get(stage.address)
            written.update(dict.fromkeys(record_stage(stage, locked, facts, bench, relink=relink)))
    return tuple(written)


def _refuse_stale(pipelines: Pipelines, stages: Iterable[Stage], facts: Facts) -> None:
    for stage in stages:
        status = examine(stage, pipelines.locks.get(stage.address), facts)
        if stage.command is not None and (status.command or status.deps):
            raise UsageError(
                f"what '{stage.address}' reads has changed since it ran, so its outputs may be out of date",
                hint=f"run it: ob repro {stage.address}; or record it as it is: ob commit -f {stage.address}",
            )
