"""Conditions, tags and the best, on what `exp show` collected."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbranch.base.errors import NotFoundError, UsageError
from offbranch.views.filter import filter_states
from offbranch.views.options import ShowOptions

STATES = ("running", "success", "queued", "failed")


def data(values: dict[str, Any], **params: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-01-02T10:00:00",
        "metrics": {"metrics.json": {"data": values}},
        "params": {"params.yaml": {"data": params}},
        "deps": {"train.py": {"hash": "abc", "size": 1, "nfiles": None}},
    }


def state(rev: str, name: str | None, held: dict[str, Any] | None, *ranges: dict[str, Any]) -> dict[str, Any]:
    return {"rev": rev, "name": name, "data": held, "error": None, "experiments": list(ranges) or None}


def experiment(name: str, values: dict[str, Any], /, *, state_: str = "success", **params: Any) -> dict[str, Any]:
    executor = None if state_ == "success" else {"state": state_, "name": "workspace", "local": None}
    return {"revs": [state(name * 10, name, data(values, **params))], "executor": executor, "name": name}


def labelled(range_: dict[str, Any], *tags: str, note: str = "") -> dict[str, Any]:
    range_["revs"][0]["labels"] = {"tags": list(tags), "note": note}
    return range_


def collected() -> tuple[dict[str, Any], ...]:
    return (
        state("workspace", None, data({"acc": 0.1}, lr=1)),
        state(
            "a" * 40,
            "main",
            data({"acc": 0.2}, lr=1),
            labelled(experiment("e1", {"acc": 0.9, "loss": 1.5}, lr=0.1, name="x"), "best", note="fine"),
            experiment("e2", {"acc": 0.8, "loss": 0.5}, lr=0.01),
            experiment("e3", {"acc": 0.99}, state_="failed", lr=0.3),
            experiment("e4", {}, state_="queued", lr=0.4),
        ),
        state("b" * 40, None, None, labelled(experiment("e5", {"acc": 0.95}, lr=0.2), "best", "old")),
        state("c" * 40, "empty", data({})),
    )


def shown(**options: Any) -> list[tuple[str, list[str]]]:
    done = filter_states(collected(), ShowOptions(**options))
    names = ["bbbbbbb" if each["rev"] == "b" * 40 else each["name"] or each["rev"] for each in done]
    return [(name, [e["name"] for e in each["experiments"] or ()]) for name, each in zip(names, done, strict=True)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("acc > 0.85", ["e1", "e3", "e5"]),
        ("acc > 0.85 and lr < 0.2", ["e1"]),
        ("metrics.json:acc >= 0.95", ["e3", "e5"]),
        ("loss > 1", ["e1"]),
        ("not loss > 1", ["e2", "e3", "e4", "e5"]),
        ("loss is None", ["e3", "e4", "e5"]),
        ("state == 'failed'", ["e3"]),
        ("state in ('queued', 'running')", ["e4"]),
        ("name == 'e2'", ["e2"]),
        ("params.yaml:name == 'x'", ["e1"]),
        ("tag == 'best'", ["e1", "e5"]),
        ("'old' in tags", ["e5"]),
        ("note == 'fine'", ["e1"]),
        ("'fin' in note", ["e1"]),
        ("baseline == 'main' and acc > 0", ["e1", "e2", "e3"]),
        ("baseline == 'bbbbbbb'", ["e5"]),
        ("created < '2027'", ["e1", "e2", "e3", "e4", "e5"]),
        ("`train.py` == 'abc' and rev == 'e1e1e1e1e1e1e1e1e1e1'", ["e1"]),
    ],
)
def test_conditions(where: str, expected: list[str]) -> None:
    assert [name for _, names in shown(where=where) for name in names] == expected


def test_the_workspace_stays_and_baselines_that_have_experiments() -> None:
    assert shown(where="acc > 0.92") == [("workspace", []), ("main", ["e3"]), ("bbbbbbb", ["e5"])]
    assert shown(where="acc > 2") == [("workspace", [])]


def test_tags() -> None:
    assert shown(tags=("best",)) == [("workspace", []), ("main", ["e1"]), ("bbbbbbb", ["e5"])]
    assert shown(tags=("best", "old")) == [("workspace", []), ("bbbbbbb", ["e5"])]
    with pytest.raises(NotFoundError, match="has the tag 'bets'") as caught:
        shown(tags=("bets",))
    assert caught.value.hint == "did you mean 'best'?"


def test_the_best_of_all_best_first() -> None:
    assert shown(best=2, by="acc") == [("workspace", []), ("main", ["e1"]), ("bbbbbbb", ["e5"])]
    assert shown(best=9, by="acc") == [("workspace", []), ("main", ["e1", "e2"]), ("bbbbbbb", ["e5"])]
    assert shown(best=1, by="metrics.json:loss", minimize=True) == [("workspace", []), ("main", ["e2"])]
    assert shown(best=2, by="loss", minimize=True)[1] == ("main", ["e2", "e1"])
    assert shown(best=1, by="acc", where="lr < 0.2", tags=("best",)) == [("workspace", []), ("main", ["e1"])]


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 5), st.floats(allow_nan=True)), max_size=8),
    st.integers(1, 9),
    st.booleans(),
)
def test_nothing_left_out_is_better_than_what_is_kept(values: list[float | None], n: int, minimize: bool) -> None:
    ranges = [experiment(f"e{i}", {"m": value}) for i, value in enumerate(values)]
    states = (state("a" * 40, "main", data({"m": 0}), *ranges),)
    done = filter_states(states, ShowOptions(best=n, by="m", minimize=minimize))
    kept = [each["name"] for one in done for each in one["experiments"] or ()]
    valid = {f"e{i}": value for i, value in enumerate(values) if value is not None and value == value}
    assert len(kept) == min(n, len(valid))
    chosen = [valid[name] for name in kept]
    assert chosen == sorted(chosen, reverse=not minimize)
    rest = [value for name, value in valid.items() if name not in kept]
    assert all((a <= b if minimize else a >= b) for a in chosen for b in rest)


def test_mistakes() -> None:
    with pytest.raises(NotFoundError, match="unknown name 'acd'") as near:
        shown(where="acd > 1")
    assert near.value.hint == "did you mean 'acc'?"
    with pytest.raises(NotFoundError, match="unknown name 'stat'"):
        shown(where="stat == 'failed'")
    with pytest.raises(NotFoundError, match="unknown metric or parameter 'nope'"):
        shown(best=1, by="nope")
    with pytest.raises(UsageError, match="needs --by"):
        shown(best=1)
    with pytest.raises(UsageError, match="needs --best"):
        shown(by="acc")
    with pytest.raises(UsageError, match="goes with --best"):
        shown(minimize=True)
    with pytest.raises(UsageError, match="above 0"):
        shown(best=0, by="acc")
    with pytest.raises(UsageError, match="no number"):
        shown(best=1, by="name")


def test_names_with_other_signs_are_offered_in_backticks() -> None:
    states = (state("a" * 40, "main", data({}), experiment("e", {"learning-rate": 1})),)
    with pytest.raises(NotFoundError) as caught:
        filter_states(states, ShowOptions(where="learning-rate > 1"))
    assert caught.value.hint == "a name with other signs is written in backticks: `learning-rate`"
    assert filter_states(states, ShowOptions(where="`learning-rate` >= 1")) == states


def test_a_name_of_several_files_must_be_said_in_full() -> None:
    states = (state("a" * 40, "main", data({}), experiment("e", {"lr": 1}, lr=2)),)
    with pytest.raises(UsageError, match="'lr' is ambiguous") as caught:
        filter_states(states, ShowOptions(where="lr > 1"))
    assert caught.value.hint == "give one of metrics.json:lr, params.yaml:lr"
    assert filter_states(states, ShowOptions(where="params.yaml:lr > 1")) == states
    assert filter_states(states, ShowOptions(best=1, by="metrics.json:lr")) == states


def test_the_states_that_were_given_stay_as_they_are() -> None:
    states = collected()
    filter_states(states, ShowOptions(where="acc > 0.9"))
    assert states == collected()
