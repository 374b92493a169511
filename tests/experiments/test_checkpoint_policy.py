"""Whose data of a chain is kept: what the user may write, and what follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import UsageError
from offbranch.experiments.checkpoint_policy import Keep, kept, lower_is_better, parse_keep

KEEPS = st.builds(
    Keep,
    last=st.none() | st.integers(1, 5),
    best=st.sampled_from([None, "", "acc", "loss"]),
    is_lower_better=st.none() | st.booleans(),
    every=st.none() | st.integers(1, 4),
)
METRICS = st.lists(st.dictionaries(st.sampled_from(["acc", "loss"]), st.floats() | st.text(max_size=2)), max_size=12)


def is_number(value: object) -> bool:
    return isinstance(value, float) and value == value


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("", Keep()),
        ("all", Keep(last=None, best=None)),
        ("last=2", Keep(last=2, best=None)),
        ("best=val.acc", Keep(last=1, best="val.acc")),
        ("last=5, best=val.acc:min, every=10", Keep(last=5, best="val.acc", is_lower_better=True, every=10)),
    ],
)
def test_what_may_be_written(text: str, keep: Keep) -> None:
    assert parse_keep(text) == keep


@pytest.mark.parametrize(
    "text", ["newest", "last=", "last=0", "last=x", "best=:min", "best=a:up", "last=1,last=2", "all,last=1"]
)
def test_what_may_not(text: str) -> None:
    with pytest.raises(UsageError, match="which checkpoints to keep"):
        parse_keep(text)


@given(KEEPS, METRICS)
def test_the_newest_is_kept_and_the_number_is_bounded(keep: Keep, metrics: list[dict[str, object]]) -> None:
    found = kept(keep, metrics)
    assert found <= set(range(1, len(metrics) + 1))
    assert not metrics or len(metrics) in found
    is_told = not keep.best or any(is_number(each.get(keep.best)) for each in metrics)
    if keep.last is not None and is_told:
        assert len(found) <= keep.last + 1 + (len(metrics) // keep.every if keep.every else 0)
    else:
        assert len(found) == len(metrics)


@given(KEEPS, METRICS)
def test_what_is_dropped_once_stays_dropped_unless_it_was_the_best(
    keep: Keep, metrics: list[dict[str, object]]
) -> None:
    """Thinning out as a run goes on never has to bring anything back, where the metric does not change its name."""
    if keep.best == "":
        return
    for n in range(len(metrics)):
        later = kept(keep, metrics[: n + 1])
        assert later - {n + 1} <= kept(keep, metrics[:n])


def test_the_best_by_a_name_that_tells() -> None:
    losses = [{"lr": 1, "val.loss": value} for value in (3, 1, float("nan"), 2, 5, 6, 7)]
    assert kept(Keep(), losses) == {2, 5, 6, 7}
    assert kept(Keep(last=1), [{"acc": 0.9}, {"acc": 0.1}, {"acc": 0.2}]) == {1, 3}
    assert kept(Keep(last=1, best="acc", is_lower_better=True), [{"acc": 0.9}, {"acc": 0.1}, {"acc": 0.2}]) == {2, 3}


def test_a_metric_that_none_has_costs_nothing() -> None:
    metrics = [{"acc": 0.9}, {"acc": 0.1}, {"acc": 0.2}]
    assert kept(parse_keep("best=ac:max"), metrics) == {1, 2, 3}
    assert kept(parse_keep("best=acc:max"), metrics) == {1, 3}


def test_the_later_of_equals_is_the_best() -> None:
    assert kept(Keep(last=1), [{"acc": 1}, {"acc": 1}, {"acc": 0}]) == {2, 3}


@pytest.mark.parametrize(
    ("name", "lower"),
    [
        ("train.loss", True),
        ("val_acc", False),
        ("mAP50", False),
        ("eval/f1-score", False),
        ("lr", None),
        ("step", None),
    ],
)
def test_what_names_say(name: str, lower: bool | None) -> None:
    assert lower_is_better(name) is lower
