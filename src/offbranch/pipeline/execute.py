"""Carries out a pipeline: for each stage in order decides once more, then skips, restores, records or runs it.

Order of writing for one stage: cache objects, then workspace files, then the run-cache, then dvc.lock. A kill between
any two of them leaves a stage that is simply not up to date yet.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from offbranch.base.errors import Interrupted, MissingDataError, OffbranchError
from offbranch.base.paths import RepoPath
from offbranch.base.records import field, record, replace
from offbranch.pipeline.carry_out import carry_out
from offbranch.pipeline.events import StageDecided, StageEnded, StageFailed, StageLeftOut
from offbranch.pipeline.facts import Facts, gather_facts
from offbranch.pipeline.plan import Action, PlanOptions, RunLookUp, Step, decide
from offbranch.pipeline.run_cache import find_run
from offbranch.pipeline.stage import LockedStage, Stage
from offbranch.pipeline.status import Reason
from offbranch.pipeline.workbench import Workbench
from offbranch.storage.objects import Content, ObjectId


class FailurePolicy(Enum):
    """What a failed stage does to the rest."""

    STOP = "stop"
    KEEP_GOING = "keep-going"
    IGNORE = "ignore"


@record
class ExecuteOptions:
    """Attributes:
    commit: Outputs go to the cache; without it only their hashes are recorded.
    pull: Missing content is fetched from the data remote where that makes a run unnecessary or possible.
    """

    plan: PlanOptions = field(default_factory=PlanOptions)
    on_failure: FailurePolicy = FailurePolicy.STOP
    commit: bool = True
    pull: bool = False


@record
class StageResult:
    """What was done about one stage.

    Attributes:
        entry: The lock entry it has now; None for data, skipped and failed stages.
        touched: Files of the project that belong into version control with it.
        replaced: What was at its outputs before they were removed, so that it can be put back.
        error: Why it failed.
    """

    stage: Stage
    action: Action
    reasons: tuple[Reason, ...] = ()
    entry: LockedStage | None = None
    touched: tuple[RepoPath, ...] = ()
    replaced: Mapping[RepoPath, Content | None] = field(default_factory=dict)
    error: OffbranchError | None = None
    duration_s: float = 0.0


@record
class RunResult:
    """What a run did, stage by stage, in the order it was done."""

    stages: tuple[StageResult, ...]

    @property
    def error(self) -> OffbranchError | None:
        """The first failure."""
        return next((result.error for result in self.stages if result.error is not None), None)

    @property
    def did_anything(self) -> bool:
        """Whether any stage was not simply skipped."""
        return any(result.action is not Action.SKIP for result in self.stages)


def run_look_up(bench: Workbench) -> RunLookUp:
    """Returns the look-up in the run-cache of a workbench."""

    def look_up(stage: Stage, wanted: LockedStage) -> LockedStage | None:
        return find_run(
            bench.cache.root,
            wanted,
            tuple(sorted(out.written for out in stage.outs)),
            is_cached=bench.cache.has_all,
            on_corrupt=lambda path: None,
        )

    return look_up


def facts_of(bench: Workbench, stages: Iterable[Stage]) -> Facts:
    """Looks at everything some stages read and write."""
    return gather_facts(
        stages,
        root=bench.root,
        reader=bench.reader,
        state=bench.state,
        ignore=bench.ignore,
        is_cached=bench.cache.has_all,
    )


def execute(
    stages: Sequence[Stage],
    locks: Mapping[str, LockedStage],
    options: ExecuteOptions,
    bench: Workbench,
    *,
    parents: Mapping[str, Iterable[str]],
) -> RunResult:
    """Carries out stages given in execution order.

    A failure is returned in the result, not raised: what was done before it counts.
    """
    return _Execution(stages, locks, options, bench, parents).carry_on()


class _Execution:
    """One walk over the stages: the facts, locks and results as they grow. Lives only inside `execute`."""

    def __init__(
        self,
        stages: Sequence[Stage],
        locks: Mapping[str, LockedStage],
        options: ExecuteOptions,
        bench: Workbench,
        parents: Mapping[str, Iterable[str]],
    ) -> None:
        self.stages, self.locks, self.options, self.bench, self.parents = stages, dict(locks), options, bench, parents
        self.look_up = run_look_up(bench)
        self.results: list[StageResult] = []
        self.failed: set[str] = set()
        self.active: set[str] = set()
        self.is_stale = False
        self.is_primed = False

    def carry_on(self) -> RunResult:
        with self.bench.guard():
            facts = facts_of(self.bench, self.stages)
        self.contents, self.params = dict(facts.contents), dict(facts.params)
        self.facts = replace(facts, contents=self.contents, params=self.params)
        for stage in self.stages:
            because = next((p for p in self.parents.get(stage.address, ()) if p in self.failed), None)
            if because is not None:
                self.failed.add(stage.address)
                self.bench.reporter.emit(StageLeftOut(address=stage.address, because_of=because))
                continue
            result = self._one(stage)
            self.results.append(result)
            if result.error is not None and not self._goes_on_after(result):
                break
        return RunResult(stages=tuple(self.results))

    def _one(self, stage: Stage) -> StageResult:
        started = time.monotonic()
        step = Step(stage=stage, action=Action.RUN)
        replaced: dict[RepoPath, Content | None] = {}
        try:
            # Only reads: a thousand stages with nothing to do must not take the lock a thousand times.
            step = self._decide(stage)
            self.bench.reporter.emit(
                StageDecided(
                    address=stage.address, action=step.action, reasons=step.reasons, is_data=stage.command is None
                )
            )
            if step.action is not Action.SKIP:
                self._ask_source_control()
            carried = carry_out(
                step,
                self.locks.get(stage.address),
                self.facts,
                self.bench,
                commit=self.options.commit,
                replaced=replaced,
            )
        except OffbranchError as error:
            return self._failed(step, error, replaced, time.monotonic() - started)
        self.is_stale = self.is_stale or step.action is not Action.SKIP
        if step.action is Action.RUN:
            self.active.add(stage.address)
        if carried.entry is not None:
            self.locks[stage.address] = carried.entry
        duration_s = time.monotonic() - started
        if step.action is not Action.SKIP:
            self.bench.reporter.emit(StageEnded(address=stage.address, action=step.action, duration_s=duration_s))
        return StageResult(
            stage=stage,
            action=step.action,
            reasons=step.reasons,
            entry=carried.entry,
            touched=carried.touched,
            replaced=replaced,
            duration_s=duration_s,
        )

    def _ask_source_control(self) -> None:
        """Asks about the outputs of all stages at once; it remembers the answers for when they are needed one by one."""
        if not self.is_primed:
            self.is_primed = True
            paths = [out.path for stage in self.stages for out in stage.outs if out.cache and out.path is not None]
            self.bench.source_control.tracked(paths)
            self.bench.source_control.unignored(paths)

    def _decide(self, stage: Stage) -> Step:
        if self.is_stale:
            # A command may have written more than its outputs; what this stage reads is looked at again.
            fresh = facts_of(self.bench, (stage,))
            self.contents.update(fresh.contents)
            self.params.update(fresh.params)
        options = self.options.plan
        if options.forced_after and any(parent in self.active for parent in self.parents.get(stage.address, ())):
            options = replace(options, force=True)
        locked = self.locks.get(stage.address)
        step = decide(stage, locked, self.facts, options, look_up=self.look_up)
        only_missing = all(reason.code == "output" for reason in step.reasons)
        if self.options.pull and only_missing and step.action in (Action.RUN, Action.BLOCKED):
            step = self._decide_after_fetching(stage, locked, step, options)
        if step.action is Action.BLOCKED:
            raise MissingDataError(
                f"missing data of '{stage.address}': {', '.join(reason.text for reason in step.reasons)}",
                hint="make it again and record it with 'ob add'",
            )
        return step

    def _decide_after_fetching(
        self, stage: Stage, locked: LockedStage | None, step: Step, options: PlanOptions
    ) -> Step:
        if self.bench.fetch is None or locked is None:
            return step
        wanted = [
            ObjectId(item.md5) for item in locked.outs if item.md5 and not self.bench.cache.has_all(ObjectId(item.md5))
        ]
        if not wanted or not self.bench.fetch(wanted):
            return step
        return decide(stage, locked, self.facts, options, look_up=self.look_up)

    def _failed(
        self, step: Step, error: OffbranchError, replaced: Mapping[RepoPath, Content | None], duration_s: float
    ) -> StageResult:
        self.is_stale = True
        if self.options.on_failure is not FailurePolicy.IGNORE:
            self.failed.add(step.stage.address)
        fatal = self.options.on_failure is FailurePolicy.STOP or isinstance(error, Interrupted)
        self.bench.reporter.emit(StageFailed(address=step.stage.address, text=error.message, is_fatal=fatal))
        return StageResult(
            stage=step.stage,
            action=step.action,
            reasons=step.reasons,
            replaced=replaced,
            error=error,
            duration_s=duration_s,
        )

    def _goes_on_after(self, result: StageResult) -> bool:
        return self.options.on_failure is not FailurePolicy.STOP and not isinstance(result.error, Interrupted)
