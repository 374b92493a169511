"""How a run of a task ended: what a child tells its supervisor, and a command its user."""

from collections.abc import Mapping
from typing import Any

from offbranch.base.records import record
from offbranch.experiments.experiment import AttemptState, Experiment
from offbranch.experiments.refs import encode
from offbranch.git.ids import CommitId
from offbranch.queue.task import TaskState


@record
class TaskEnd:
    """How one run of a task ended.

    Attributes:
        state: SUCCEEDED, FAILED or CANCELLED; QUEUED if it waits again: it was stopped, or is run again after a failure.
        outcome: Of the run itself, which of these two it was.
        experiment: What it became; None if it did not.
        attempt_id: The record of this run.
        cause: Why it failed, in one line; empty for success.
        exit_code: Of the stage command that failed; None if none did.
        hint: What the user may do.
    """

    name: str
    id: str
    baseline: CommitId
    state: TaskState
    outcome: AttemptState
    attempt_id: str
    experiment: Experiment | None = None
    cause: str = ""
    exit_code: int | None = None
    hint: str | None = None


def end_to_json(end: TaskEnd) -> dict[str, Any]:
    """Returns the form that programs get."""
    return {
        "name": end.name,
        "id": end.id,
        "state": end.state.value,
        "rev": None if end.experiment is None else end.experiment.commit,
        "baseline": end.baseline,
        "attempt_id": end.attempt_id,
        "exit_code": end.exit_code,
        "cause": end.cause or None,
        "hint": end.hint,
    }


def end_to_words(end: TaskEnd) -> dict[str, Any]:
    """Returns the form that a supervisor gets."""
    return {**end_to_json(end), "outcome": end.outcome.value}


def end_from_words(data: Mapping[str, Any]) -> TaskEnd:
    """Reads that form, which only we have written."""
    baseline, name, rev = CommitId(data["baseline"]), data["name"], data["rev"]
    made = None
    if rev is not None:
        made = Experiment(name=name, baseline=baseline, commit=CommitId(rev), ref=encode(baseline, name))
    return TaskEnd(
        name=name,
        id=data["id"],
        baseline=baseline,
        state=TaskState(data["state"]),
        outcome=AttemptState(data["outcome"]),
        attempt_id=data["attempt_id"],
        experiment=made,
        cause=data["cause"] or "",
        exit_code=data["exit_code"],
        hint=data["hint"],
    )
