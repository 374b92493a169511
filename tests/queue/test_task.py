"""The record of a task: to JSON and back, and nothing taken on trust from a commit that anybody may have made."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.paths import RepoPath
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.git.ids import CommitId
from offbranch.pipeline.options import ExecuteOptions, FailurePolicy, PlanOptions, RunOptions, SelectOptions
from offbranch.queue.task import (
    Task,
    message_of,
    task_from_json,
    task_from_message,
    task_to_json,
)

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
tasks = st.builds(
    Task,
    id=st.just("20260101-000000-abcdef-1"),
    spec=st.builds(
        ExperimentSpec,
        name=st.sampled_from(["a", "lr-0.1", "über"]),
        baseline=st.sampled_from([CommitId("a" * 40), CommitId("0" * 64)]),
        overrides=st.lists(texts, max_size=3).map(tuple),
        targets=st.lists(texts, max_size=2).map(tuple),
        message=st.none() | texts,
        force=st.booleans(),
    ),
    options=st.builds(
        RunOptions,
        select=st.builds(SelectOptions, cwd=st.sampled_from([RepoPath(""), RepoPath("sub/dir")]), glob=st.booleans()),
        execute=st.builds(
            ExecuteOptions,
            plan=st.builds(PlanOptions, force=st.booleans(), use_run_cache=st.booleans()),
            on_failure=st.sampled_from(FailurePolicy),
            pull=st.booleans(),
            jobs=st.integers(1, 9),
        ),
    ),
    copy_paths=st.lists(st.sampled_from([RepoPath("a"), RepoPath("b/c")]), max_size=2).map(tuple),
    created_utc=st.floats(0, 1e11),
    order=st.integers(1, 10**6),
)


@given(task=tasks)
def test_to_json_and_back(task: Task) -> None:
    assert task_from_json(json.loads(json.dumps(task_to_json(task)))) == task
    assert task_from_message(message_of(task)) == task
    assert message_of(task).splitlines()[0] == f"ob: task {task.spec.name}"


def stored() -> dict[str, Any]:
    spec = ExperimentSpec(name="a", baseline=CommitId("a" * 40))
    options = RunOptions(select=SelectOptions(), execute=ExecuteOptions())
    return task_to_json(Task(id="1", spec=spec, options=options, created_utc=1.0, order=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version 3 of a task is not known"),
        ({"name": "../../heads/main"}, "invalid experiment name"),
        ({"baseline": "main"}, "'main' is not the id of a commit"),
        ({"baseline": None}, "not the id of a commit"),
        ({"copy_paths": ["../../etc"]}, "leads out of the project"),
        ({"copy_paths": ["/etc"]}, "leads out of the project"),
        ({"select": {}}, "not the record of a task"),
        ({"select": {"cwd": ".."}}, "not the record of a task"),
        ({"execute": None}, "not the record of a task"),
        ({"overrides": None}, "not the record of a task"),
    ],
)
def test_what_is_no_task_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task_from_json({**stored(), **change})


def test_the_first_version_is_read() -> None:
    old = {**stored(), "version": 1}
    for key in ("priority", "is_held", "timeout_s", "retries", "round", "resources"):
        del old[key]
    assert task_from_json(old) == task_from_json(stored())


@pytest.mark.parametrize(
    "message", ["", "ob: task x", "ob: task x\n\n[1]\n", "ob: task x\n\n{}\n", "ob: task x\n\nno json\n"]
)
def test_a_message_without_record_is_refused(message: str) -> None:
    with pytest.raises(ValueError):
        task_from_message(message)
