"""What is said about how a task is run: read from text, laid over a task, and refused where it makes no sense."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import UsageError
from offbranch.base.records import replace
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.git.ids import CommitId
from offbranch.pipeline.options import ExecuteOptions, RunOptions, SelectOptions
from offbranch.queue.resources import Resources, parse_resources, parse_size
from offbranch.queue.task import Task, message_of, task_from_message
from offbranch.queue.terms import NO_TERMS, Terms, parse_duration, with_terms

TASK = Task(
    id="20261127-120000-abc123",
    spec=ExperimentSpec(name="n", baseline=CommitId("a" * 40)),
    options=RunOptions(select=SelectOptions(), execute=ExecuteOptions()),
    created_utc=1.0,
    order=1,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400), ("1.5h", 5400), ("0", 0)]
)
def test_a_length_of_time(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1", "1 h", "1w", "1h30m", "inf", "nan", "1e3", "٣", "1H"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(UsageError, match="no length of time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpus=1", Resources(gpus=1)),
        ("gpus=0,cpus=4", Resources(gpus=0, cpus=4)),
        ("memory=8G , cpus=2", Resources(cpus=2, memory_bytes=8 << 30)),
        ("memory=512MiB", Resources(memory_bytes=512 << 20)),
        ("memory=1.5g", Resources(memory_bytes=3 << 29)),
        ("memory=2097152", Resources(memory_bytes=2 << 20)),
    ],
)
def test_resources(text: str, found: Resources) -> None:
    assert parse_resources(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpus",
        "gpus=",
        "gpus=-1",
        "gpus=x",
        "cpus=0",
        "cpus=1.5",
        "gpus=1,gpus=2",
        "disk=1G",
        "memory=0",
    ],
)
def test_what_are_no_resources(text: str) -> None:
    with pytest.raises(UsageError):
        parse_resources(text)


def test_a_near_name_is_offered() -> None:
    with pytest.raises(UsageError) as caught:
        parse_resources("gpu=1")
    assert caught.value.hint is not None and "gpus" in caught.value.hint


@given(st.integers(min_value=1 << 20, max_value=1 << 50))
def test_bytes_are_what_they_are(size_bytes: int) -> None:
    assert parse_size(str(size_bytes)) == pytest.approx(size_bytes)


@st.composite
def any_terms(draw: st.DrawFn) -> Terms:
    def maybe(some: st.SearchStrategy[Any]) -> Any:
        return draw(st.none() | some)

    number = st.none() | st.integers(min_value=1, max_value=1 << 40)
    return Terms(
        priority=maybe(st.integers(min_value=-1000, max_value=1000)),
        is_held=maybe(st.booleans()),
        timeout_s=maybe(st.integers(min_value=0, max_value=10**6).map(float)),
        retries=maybe(st.integers(min_value=0, max_value=9)),
        resources=maybe(st.builds(lambda a, b, c: Resources(gpus=a, cpus=b, memory_bytes=c), number, number, number)),
    )


@given(any_terms())
def test_terms_hold_twice_as_once_and_survive_being_stored(terms: Terms) -> None:
    once = with_terms(TASK, terms)
    assert with_terms(once, terms) == once
    assert task_from_message(message_of(once)) == once
    assert replace(once, priority=0, is_held=False, timeout_s=None, retries=0, resources=Resources()) == TASK


@given(any_terms(), any_terms())
def test_what_is_said_later_wins_and_what_is_not_said_stays(first: Terms, then: Terms) -> None:
    both = with_terms(with_terms(TASK, first), then)
    assert both.priority == next((each for each in (then.priority, first.priority) if each is not None), 0)
    assert both.is_held == bool(first.is_held if then.is_held is None else then.is_held)
    assert with_terms(both, NO_TERMS) == both


@pytest.mark.parametrize("terms", [Terms(priority=10**7), Terms(retries=-1), Terms(retries=10**6)])
def test_numbers_out_of_bounds(terms: Terms) -> None:
    with pytest.raises(UsageError, match="out of bounds"):
        with_terms(TASK, terms)
