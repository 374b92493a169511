"""What is to be done about a stage at its turn: the facts and lock entries as they grow while a pipeline is carried out."""

from collections.abc import Iterable, Mapping

from offbranch.base.errors import MissingDataError
from offbranch.base.records import replace
from offbranch.pipeline.facts import Facts, gather_facts
from offbranch.pipeline.options import PlanOptions
from offbranch.pipeline.plan import Action, RunLookUp, Step, decide_going_on
from offbranch.pipeline.run_cache import find_run
from offbranch.pipeline.stage import LockedStage, Stage
from offbranch.pipeline.workbench import Workbench
from offbranch.storage.objects import ObjectId
from offbranch.storage.whole import CacheLook


def run_look_up(bench: Workbench) -> RunLookUp:
    """Returns the look-up in the run-cache of a workbench; outputs that are not here are fetched where that is wanted."""
    is_here = CacheLook(cache=bench.cache, state=bench.state)

    def is_cached(id: ObjectId) -> bool:
        return is_here(id) or (bench.fetch is not None and id in bench.fetch((id,)))

    def look_up(stage: Stage, wanted: LockedStage) -> LockedStage | None:
        return find_run(
            bench.cache.root,
            wanted,
            tuple(sorted(out.written for out in stage.outs)),
            is_cached=is_cached,
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
        is_cached=CacheLook(cache=bench.cache, state=bench.state),
        look_at_url=bench.urls.look if bench.urls is not None else None,
    )


class Decider:
    """Decides about one stage after the other.

    Args:
        stages: All that it will be asked about.
        locks: What was recorded of them.
        options: How to decide.
        bench: Where.
        pull: Missing content is fetched where that makes a run unnecessary.

    Attributes:
        locks: What is recorded of them by now.
        is_stale: Something has been done since the facts were gathered, so they are gathered anew at each turn.
    """

    def __init__(
        self,
        stages: Iterable[Stage],
        locks: Mapping[str, LockedStage],
        options: PlanOptions,
        bench: Workbench,
        *,
        pull: bool,
    ) -> None:
        self.locks = dict(locks)
        self.is_stale = False
        self._options, self._bench, self._look_up, self._pull = options, bench, run_look_up(bench), pull
        with bench.guard():
            facts = facts_of(bench, stages)
        self._contents, self._params = dict(facts.contents), dict(facts.params)
        self.facts = replace(facts, contents=self._contents, params=self._params)

    def decide(self, stage: Stage, *, is_forced: bool) -> Step:
        """Decides about a stage.

        Raises:
            MissingDataError: Its data is missing and nothing can make it.
        """
        if self.is_stale:
            # A command may have written more than its outputs; what this stage reads is looked at again.
            fresh = facts_of(self._bench, (stage,))
            self._contents.update(fresh.contents)
            self._params.update(fresh.params)
        options = replace(self._options, force=True) if is_forced else self._options
        locked = self.locks.get(stage.address)
        step = self._decide(stage, locked, options)
        only_missing = all(reason.code == "output" for reason in step.reasons)
        if self._pull and only_missing and step.action in (Action.RUN, Action.BLOCKED):
            step = self._decide_after_fetching(locked, step, options)
        if step.action is Action.BLOCKED:
            nor = ", nor to be had from a data remote" if self._pull and self._bench.fetch is not None else ""
            raise MissingDataError(
                f"missing data of '{stage.address}': {', '.join(reason.text for reason in step.reasons)}{nor}",
                hint="make it again and record it with 'ob add'",
            )
        return step

    def _decide_after_fetching(self, locked: LockedStage | None, step: Step, options: PlanOptions) -> Step:
        if self._bench.fetch is None or locked is None:
            return step
        ids = [ObjectId(item.md5) for item in locked.outs if item.md5]
        wanted = [object_id for object_id in ids if not self._bench.cache.has_all(object_id)]
        if not wanted or not self._bench.fetch(wanted):
            return step
        return self._decide(step.stage, locked, options)

    def _decide(self, stage: Stage, locked: LockedStage | None, options: PlanOptions) -> Step:
        return decide_going_on(stage, locked, self.facts, options, self._bench.going_on, look_up=self._look_up)
