"""A plan and what came of it, as text and as JSON data; pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from offbranch.cli.event_lines import because
from offbranch.pipeline.execute import RunResult
from offbranch.pipeline.plan import Action, Plan, Step
from offbranch.pipeline.reasons import Reason

_WORDS = {
    Action.SKIP: "skip",
    Action.CHECKOUT: "check out",
    Action.RESTORE: "restore",
    Action.RUN: "run",
    Action.RECORD: "record",
    Action.UNDECIDED: "depends",
    Action.BLOCKED: "blocked",
}
_NOTES = {
    Action.CHECKOUT: "its outputs are in the cache",
    Action.RESTORE: "its result is in the run-cache",
    Action.UNDECIDED: "decided when what it needs is there",
    Action.BLOCKED: "data is missing and nothing here can make it",
}


def plan_lines(plan: Plan, level: int) -> Iterator[str]:
    """Yields the steps in order, with why and with the commands; all reasons when `level` is above 0."""
    if not plan.steps:
        yield "There are no stages."
        return
    width = max(len(word) for word in (_WORDS[step.action] for step in plan.steps))
    for number, step in enumerate(plan.steps, 1):
        yield f"{number:>3}. {_WORDS[step.action]:<{width}}  {step.stage.address}"
        indent = " " * (width + 7)
        for text in _details(step, level):
            yield f"{indent}{text}"


def plan_data(plan: Plan) -> list[dict[str, Any]]:
    """Returns a plan as plain data, steps in order."""
    return [
        {
            "stage": step.stage.address,
            "action": step.action.value,
            "reasons": reasons_data(step.reasons),
            "commands": list(step.stage.shell_calls) if step.action in (Action.RUN, Action.UNDECIDED) else [],
        }
        for step in plan.steps
    ]


def result_data(result: RunResult) -> list[dict[str, Any]]:
    """Returns what a run did as plain data, stages in the order they were done."""
    return [
        {
            "stage": done.stage.address,
            "action": done.action.value,
            "reasons": reasons_data(done.reasons),
            "duration_s": round(done.duration_s, 3),
            "error": None if done.error is None else done.error.message,
        }
        for done in result.stages
    ]


def reasons_data(reasons: Sequence[Reason]) -> list[dict[str, str]]:
    """Returns reasons as plain data."""
    return [{"code": reason.code, "text": reason.text} for reason in reasons]


def _details(step: Step, level: int) -> Iterator[str]:
    if step.action in _NOTES:
        yield _NOTES[step.action]
    yield from because(step.reasons, level)
    if step.action in (Action.RUN, Action.UNDECIDED):
        for command in step.stage.shell_calls:
            yield f"> {command}"
