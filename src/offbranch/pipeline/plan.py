"""Decides what has to be done: stages + what was recorded + facts -> a `Plan` of steps, each with its reasons.

Pure, apart from the look-up in the run-cache that it is handed. The executor asks `decide` again for each stage in turn,
with the facts as they are by then, so what `--dry` shows and what is done are one piece of code.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from offbranch.base.paths import overlap
from offbranch.base.records import record, replace
from offbranch.params.lookup import MISSING
from offbranch.pipeline.facts import Facts, Found, Recorded, Unknown
from offbranch.pipeline.going_on import NOT_GOING_ON, GoingOn, without_stays
from offbranch.pipeline.options import PlanOptions
from offbranch.pipeline.reasons import Reason, reasons
from offbranch.pipeline.run_cache import is_usable
from offbranch.pipeline.stage import LockedItem, LockedStage, Stage, item_key
from offbranch.pipeline.status import Change, ChangeKind, StageStatus, examine, param_values
from offbranch.storage.objects import Content, ObjectId, Tag, parse_object_id


class Action(Enum):
    """What is done about a stage."""

    SKIP = "skip"
    CHECKOUT = "checkout"
    RESTORE = "restore"
    RUN = "run"
    RECORD = "record"
    UNDECIDED = "undecided"
    BLOCKED = "blocked"


@record
class Step:
    """What will be done about one stage, and why.

    Attributes:
        action: SKIP nothing to do; CHECKOUT outputs are put back as recorded; RESTORE they come from the run-cache; RUN
            the command runs; RECORD changed data is taken into the cache; UNDECIDED depends on what an earlier step makes;
            BLOCKED data is missing and nothing can make it.
        reasons: The most telling first; for SKIP empty.
        entry: For RESTORE the recorded result.
    """

    stage: Stage
    action: Action
    reasons: tuple[Reason, ...] = ()
    entry: LockedStage | None = None


@record
class Plan:
    """Steps in the order in which they are carried out."""

    steps: tuple[Step, ...]

    @property
    def is_empty(self) -> bool:
        """Whether everything is up to date."""
        return all(step.action is Action.SKIP for step in self.steps)


RunLookUp = Callable[[Stage, LockedStage], LockedStage | None]


def make_plan(
    stages: Iterable[Stage],
    locks: Mapping[str, LockedStage],
    facts: Facts,
    options: PlanOptions,
    *,
    look_up: RunLookUp,
    parents: Mapping[str, Iterable[str]],
    going_on: GoingOn = NOT_GOING_ON,
) -> Plan:
    """Decides about stages given in execution order, imagining what each step leaves for the later ones.

    Args:
        stages: Dependencies before those that need them.
        locks: Address -> what was recorded.
        facts: What is there now.
        options: How to decide.
        look_up: Finds a result in the run-cache.
        parents: Address -> addresses of the stages it directly needs.
        going_on: Which stages do not begin anew.
    """
    steps: list[Step] = []
    changing: dict[str, Stage] = {}
    contents = dict(facts.contents)
    facts = replace(facts, contents=contents)
    for stage in stages:
        makers = [changing[parent] for parent in parents.get(stage.address, ()) if parent in changing]
        contents.update(_parts_of_outputs(stage, makers))
        locked = locks.get(stage.address)
        forced = replace(options, force=True) if options.forced_after and makers else options
        step = decide_going_on(stage, locked, facts, forced, going_on, look_up=look_up)
        if step.action not in (Action.SKIP, Action.BLOCKED):
            changing[stage.address] = stage
        contents.update(imagine(step, locked))
        steps.append(step)
    return Plan(steps=tuple(steps))


def decide_going_on(
    stage: Stage,
    locked: LockedStage | None,
    facts: Facts,
    options: PlanOptions,
    going_on: GoingOn,
    *,
    look_up: RunLookUp,
) -> Step:
    """Decides about one stage of a run that may go on from another one."""
    why = going_on.reason(stage)
    if why is not None:
        step = decide(stage, locked, facts, replace(options, force=True), look_up=look_up)
        return replace(step, reasons=(why,)) if step.action is Action.RUN else step
    if stage.address not in going_on.ended or locked is None:
        return decide(stage, locked, facts, options, look_up=look_up)
    plain = without_stays(stage)
    if not options.force and not replace(examine(plain, locked, facts), always=False).is_changed:
        return Step(stage=stage, action=Action.SKIP)
    if stage.address in going_on.numbers:  # what goes on is no result of its parameters alone
        options = replace(options, use_run_cache=False)
    return replace(decide(plain, locked, facts, options, look_up=look_up), stage=stage)


def decide(stage: Stage, locked: LockedStage | None, facts: Facts, options: PlanOptions, *, look_up: RunLookUp) -> Step:
    """Decides about one stage, given what is there at its turn."""
    status = examine(stage, locked, facts)
    if options.allow_missing:
        status = without_missing(status)
    if stage.command is None:
        return _decide_data(stage, locked, status, facts)
    if options.force and not stage.frozen:
        return Step(stage=stage, action=Action.RUN, reasons=(Reason(code="forced", text="it is forced"),))
    if not status.is_changed:
        return Step(stage=stage, action=Action.SKIP)
    why = tuple(reasons(stage, status))
    if is_restorable_from_lock(status) and locked is not None and _outs_are_cached(stage, locked, facts):
        return Step(stage=stage, action=Action.CHECKOUT, reasons=why)
    if stage.frozen:
        return Step(stage=stage, action=Action.BLOCKED, reasons=why)
    if any(change.kind is ChangeKind.PENDING for change in status.deps):
        return Step(stage=stage, action=Action.UNDECIDED, reasons=why)
    if options.use_run_cache and is_usable(stage) and not status.always and not _misses_input(status):
        entry = look_up(stage, describe(stage, facts))
        if entry is not None:
            return Step(stage=stage, action=Action.RESTORE, reasons=why, entry=entry)
    return Step(stage=stage, action=Action.RUN, reasons=why)


def imagine(step: Step, locked: LockedStage | None) -> dict[str, Found]:
    """Returns what will be at the outputs after a step: known content where it is known, `Unknown` where not."""
    match step.action:
        case Action.CHECKOUT:
            entry = locked
        case Action.RESTORE:
            entry = step.entry
        case Action.RUN | Action.UNDECIDED:
            return {item_key(step.stage, out): Unknown(maker=step.stage.address) for out in step.stage.outs}
        case _:
            return {}
    recorded = {item.written: item for item in entry.outs} if entry else {}
    return {
        item_key(step.stage, out): content_of(recorded[out.written])
        for out in step.stage.outs
        if out.written in recorded
    }


def describe(stage: Stage, facts: Facts) -> LockedStage:
    """Returns the lock entry a stage would have for its present dependencies and parameters, without outputs.

    Missing dependencies and parameters are left out; the caller has made sure there are none where it matters.
    """
    deps = []
    for dependency in stage.deps:
        content = facts.contents[item_key(stage, dependency)]
        if isinstance(content, Content):
            deps.append(locked_item(dependency.written, content))
        elif isinstance(content, Tag):
            deps.append(tagged_item(dependency.written, content))
        elif isinstance(content, Recorded):
            deps.append(LockedItem(written=dependency.written, hash_name=None, extra=content.fields))
    params: dict[str, dict[str, object]] = {}
    for group in stage.params:
        data = facts.params[item_key(stage, group)]
        if data is not None:
            values = params.setdefault(group.written, {})
            values.update((key, value) for key, value in param_values(group, data).items() if value is not MISSING)
    return LockedStage(command=stage.command, deps=tuple(sorted(deps, key=_written)), params=params)


def locked_item(written: str, content: Content) -> LockedItem:
    """Returns what dvc.lock records of present content."""
    return LockedItem(
        written=written,
        md5=content.id,
        size=content.size,
        n_files=content.n_files,
        is_executable=content.is_executable,
    )


def tagged_item(written: str, tag: Tag) -> LockedItem:
    """Returns what dvc.lock and .dvc files record of content that a server tells by a tag."""
    return LockedItem(written=written, md5=tag.md5, size=tag.size, n_files=tag.n_files, extra=tag.extra)


def content_of(item: LockedItem) -> Content | None:
    """Returns the content that a recorded item stands for, None when no hash is recorded."""
    if item.md5 is None:
        return None
    return Content(
        id=parse_object_id(item.md5), size=item.size or 0, n_files=item.n_files, is_executable=item.is_executable
    )


def is_restorable_from_lock(status: StageStatus) -> bool:
    """Tells whether only outputs differ, so that putting back the recorded ones is enough."""
    return bool(status.outs) and not (status.never_ran or status.command or status.always or status.deps)


def without_missing(status: StageStatus) -> StageStatus:
    """Returns the status without those changes that are only missing content."""
    gone = (ChangeKind.DELETED, ChangeKind.NOT_IN_CACHE)

    def kept(changes: tuple[Change, ...]) -> tuple[Change, ...]:
        return tuple(change for change in changes if change.kind not in gone or change.key is not None)

    return replace(status, deps=kept(status.deps), outs=kept(status.outs))


def _decide_data(stage: Stage, locked: LockedStage | None, status: StageStatus, facts: Facts) -> Step:
    if not status.outs:
        return Step(stage=stage, action=Action.SKIP)
    why = tuple(reasons(stage, status))
    recorded = {item.written: item for item in locked.outs} if locked else {}
    for out in stage.outs:
        if facts.contents[item_key(stage, out)] is None:
            was = recorded.get(out.written)
            restorable = was is not None and was.md5 is not None and facts.is_cached(ObjectId(was.md5))
            return Step(stage=stage, action=Action.CHECKOUT if restorable else Action.BLOCKED, reasons=why)
    return Step(stage=stage, action=Action.RECORD, reasons=why)


def _outs_are_cached(stage: Stage, locked: LockedStage, facts: Facts) -> bool:
    """Tells whether every output can be put back; one that Git keeps only if it is unchanged or cached too."""
    recorded = {item.written: item for item in locked.outs}
    for out in stage.outs:
        was = recorded.get(out.written)
        if was is None or was.md5 is None or was.hash_name is None:
            return False
        content = facts.contents[item_key(stage, out)]
        present = isinstance(content, Content) and content.id == was.md5
        if not (present and not out.cache) and not facts.is_cached(ObjectId(was.md5)):
            return False
    return not any(out.persist or out.checkpoint for out in stage.outs)


def _misses_input(status: StageStatus) -> bool:
    return any(change.kind in (ChangeKind.DELETED, ChangeKind.OUT_OF_SYNC) for change in status.deps)


def _written(item: LockedItem) -> str:
    return item.written


def _parts_of_outputs(stage: Stage, makers: Iterable[Stage]) -> dict[str, Found]:
    """Returns, as unknown, each dependency that is only a part of what an earlier step makes, or contains it."""
    return {
        read: Unknown(maker=maker.address)
        for maker in makers
        for made in (item_key(maker, out) for out in maker.outs)
        for read in (item_key(stage, dependency) for dependency in stage.deps)
        if read != made and overlap(read, made)
    }
