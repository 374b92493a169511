"""Carries out a pipeline: for each stage in turn decides once more, then skips, restores, records or runs it.

Commands of independent stages may run side by side; everything else is done by one thread, one stage after the other, and
leaves the same as if they had run one by one. A kill between any two writes of a stage leaves it simply not up to date yet.
"""

import time
from collections.abc import Iterable, Mapping, Sequence

from offbranch.base.errors import Interrupted, OffbranchError
from offbranch.base.paths import RepoPath
from offbranch.base.records import field, record, replace
from offbranch.pipeline.alongside import Alongside
from offbranch.pipeline.carry_out import carry_out, prepare_run, record_results
from offbranch.pipeline.crew import Crew, Finished, open_crew
from offbranch.pipeline.deciding import Decider
from offbranch.pipeline.events import StageDecided, StageEnded, StageFailed, StageLeftOut
from offbranch.pipeline.options import ExecuteOptions, FailurePolicy
from offbranch.pipeline.plan import Action, Step, describe
from offbranch.pipeline.reasons import Reason
from offbranch.pipeline.recording import NOTHING_LATER, Carried, Later
from offbranch.pipeline.schedule import Schedule
from offbranch.pipeline.stage import LockedStage, Stage
from offbranch.pipeline.workbench import Workbench
from offbranch.storage.objects import Content


@record
class StageResult:
    """What was done about one stage.

    Attributes:
        entry: The lock entry it has now; None for data, skipped and failed stages.
        touched: Files of the project that belong into version control with it.
        replaced: What was at its outputs before they were removed, so that it can be put back.
        error: Why it failed, or that it was stopped.
    """

    stage: Stage
    action: Action
    reasons: tuple[Reason, ...] = ()
    entry: LockedStage | None = None
    touched: tuple[RepoPath, ...] = ()
    replaced: Mapping[RepoPath, Content | None] = field(default_factory=dict)
    error: OffbranchError | Interrupted | None = None
    duration_s: float = 0.0


@record
class RunResult:
    """What a run did, stage by stage, in execution order.

    Attributes:
        stopped: That the user stopped it, if no stage says so.
    """

    stages: tuple[StageResult, ...]
    stopped: Interrupted | None = None

    @property
    def error(self) -> OffbranchError | Interrupted | None:
        """That the user stopped it, else the first failure."""
        errors = [error for error in (self.stopped, *(result.error for result in self.stages)) if error is not None]
        return next((error for error in errors if isinstance(error, Interrupted)), errors[0] if errors else None)

    @property
    def did_anything(self) -> bool:
        """Whether any stage was not simply skipped."""
        return any(result.action is not Action.SKIP for result in self.stages)


def execute(
    stages: Sequence[Stage],
    locks: Mapping[str, LockedStage],
    options: ExecuteOptions,
    bench: Workbench,
    *,
    parents: Mapping[str, Iterable[str]],
) -> RunResult:
    """Carries out stages given in execution order.

    A failure is returned in the result, not raised: what was done before it counts, and so does what ran beside it.
    """
    return _Execution(stages, locks, options, bench, parents).carry_on()


@record
class _Begun:
    """One stage that was taken up.

    Attributes:
        replaced: What was at its outputs; filled while it is carried out.
        started: Seconds, monotonic.
    """

    step: Step
    replaced: dict[RepoPath, Content | None] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)


class _Execution:
    """One walk over the stages, and the results as they come. Lives only inside `execute`."""

    def __init__(
        self,
        stages: Sequence[Stage],
        locks: Mapping[str, LockedStage],
        options: ExecuteOptions,
        bench: Workbench,
        parents: Mapping[str, Iterable[str]],
    ) -> None:
        self.stages = {stage.address: stage for stage in stages}
        self.options, self.bench, self.parents = options, bench, parents
        # The output of a single command is not marked, whatever was allowed.
        self.jobs = min(options.jobs, sum(stage.command is not None for stage in stages)) or 1
        self.schedule = Schedule(tuple(self.stages), parents)
        self.decider = Decider(stages, locks, options.plan, bench, pull=options.pull)
        self.alongside = None
        if self.jobs > 1:
            uses_run_cache = options.commit and options.plan.use_run_cache
            self.alongside = Alongside(self.stages, self.schedule.position, locks, uses_run_cache=uses_run_cache)
        self.begun: dict[str, _Begun] = {}
        self.results: dict[str, StageResult] = {}
        self.failed: set[str] = set()
        self.active: set[str] = set()
        self.is_primed = False
        self.is_over = False

    def carry_on(self) -> RunResult:
        with open_crew(self.bench, jobs=self.jobs) as crew:
            broken = self._walk(crew)
        if broken is not None:
            raise broken
        in_order = sorted(self.results, key=self.schedule.position.__getitem__)
        return RunResult(stages=tuple(self.results[address] for address in in_order), stopped=crew.stopped)

    def _walk(self, crew: Crew) -> OSError | None:
        """Takes up what can be, waits for a command, and so on; when the end has come, only waits."""
        broken: OSError | None = None
        while True:
            self.is_over = self.is_over or crew.stopped is not None
            may_take = not self.is_over and len(crew.running) < self.jobs
            address = self.schedule.take() if may_take else None
            if address is None and not crew.running:
                return broken
            try:
                if address is None:
                    self._take_in(crew.wait())
                else:
                    self._take_up(self.stages[address], crew)
            except OSError as error:  # such as a full disk: what runs is not lost by it
                broken, self.is_over = broken or error, True

    def _take_up(self, stage: Stage, crew: Crew) -> None:
        because = next((p for p in self.parents.get(stage.address, ()) if p in self.failed), None)
        if because is not None:
            self.failed.add(stage.address)
            self.bench.reporter.emit(StageLeftOut(address=stage.address, because_of=because))
            self.schedule.end(stage.address)
            return
        begun = _Begun(step=Step(stage=stage, action=Action.RUN))
        try:
            # Only reads: a thousand stages with nothing to do must not take the lock a thousand times.
            step = self.decider.decide(stage, is_forced=self._is_forced(stage))
            begun = replace(begun, step=step)
            if self.alongside is not None and self.alongside.waits(step, self.decider.facts):
                return
            self._say(step)
            if step.action is Action.RUN:
                self._start(begun, crew)
            else:
                self._end(begun, self._carry_out(begun))
        except (OffbranchError, Interrupted) as error:
            self._fail(begun, error)

    def _carry_out(self, begun: _Begun) -> Carried:
        stage = begun.step.stage
        return carry_out(
            begun.step,
            self.decider.locks.get(stage.address),
            self.decider.facts,
            self.bench,
            commit=self.options.commit,
            replaced=begun.replaced,
            later=self._later(stage),
        )

    def _start(self, begun: _Begun, crew: Crew) -> None:
        stage, facts = begun.step.stage, self.decider.facts
        commands = prepare_run(stage, facts, self.bench, commit=self.options.commit, replaced=begun.replaced)
        self.decider.is_stale = True
        self.begun[stage.address] = begun
        if commands.calls:
            more = self.bench.watcher.began(stage, describe(stage, facts))
            try:
                crew.start(stage.address, replace(commands, env={**commands.env, **more}))
            except BaseException:
                self.bench.watcher.ended(stage)
                raise
        else:
            self._take_in(Finished(address=stage.address))

    def _take_in(self, finished: Finished) -> None:
        begun = self.begun[finished.address]
        stage = begun.step.stage
        if stage.shell_calls:
            self.bench.watcher.ended(stage)
        try:
            if finished.error is not None:
                raise finished.error
            self._end(begun, record_results(stage, self.bench, commit=self.options.commit, later=self._later(stage)))
            if stage.shell_calls:
                self.bench.watcher.recorded(stage)
        except (OffbranchError, Interrupted) as error:
            self._fail(begun, error)

    def _say(self, step: Step) -> None:
        stage = step.stage
        self.bench.reporter.emit(
            StageDecided(address=stage.address, action=step.action, reasons=step.reasons, is_data=stage.command is None)
        )
        if step.action is not Action.SKIP and not self.is_primed:
            # About the outputs of all stages at once: it remembers the answers for when they are needed one by one.
            self.is_primed = True
            outs = (out for stage in self.stages.values() for out in stage.outs)
            paths = [out.path for out in outs if out.cache and out.path is not None]
            self.bench.source_control.tracked(paths)
            self.bench.source_control.unignored(paths)

    def _is_forced(self, stage: Stage) -> bool:
        return self.options.plan.forced_after and not self.active.isdisjoint(self.parents.get(stage.address, ()))

    def _later(self, stage: Stage) -> Later:
        return NOTHING_LATER if self.alongside is None else self.alongside.later(stage, self.results)

    def _end(self, begun: _Begun, carried: Carried) -> None:
        step, address = begun.step, begun.step.stage.address
        duration_s = time.monotonic() - begun.started
        if step.action is not Action.SKIP:
            self.decider.is_stale = True
            self.bench.reporter.emit(StageEnded(address=address, action=step.action, duration_s=duration_s))
        if step.action is Action.RUN:
            self.active.add(address)
        if carried.entry is not None:
            self.decider.locks[address] = carried.entry
        self._keep(begun, carried, duration_s=duration_s)

    def _fail(self, begun: _Begun, error: OffbranchError | Interrupted) -> None:
        address = begun.step.stage.address
        self.decider.is_stale = True
        if self.options.on_failure is not FailurePolicy.IGNORE:
            self.failed.add(address)
        fatal = self.options.on_failure is FailurePolicy.STOP or isinstance(error, Interrupted)
        self.is_over = self.is_over or fatal
        self.bench.reporter.emit(StageFailed(address=address, text=error.message, is_fatal=fatal))
        self._keep(begun, Carried(), error=error, duration_s=time.monotonic() - begun.started)

    def _keep(
        self,
        begun: _Begun,
        carried: Carried,
        *,
        duration_s: float,
        error: OffbranchError | Interrupted | None = None,
    ) -> None:
        step, address = begun.step, begun.step.stage.address
        self.results[address] = StageResult(
            stage=step.stage,
            action=step.action,
            reasons=step.reasons,
            entry=carried.entry,
            touched=carried.touched,
            replaced=begun.replaced,
            error=error,
            duration_s=duration_s,
        )
        self.schedule.end(address)
        if self.alongside is not None:
            for waiting in self.alongside.end(address, carried.ignored):
                self.schedule.give_back(waiting)
