"""Decisions over imagined facts: no disk, no Git, no cache."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.paths import RepoPath
from offbranch.pipeline.facts import Facts
from offbranch.pipeline.options import PlanOptions
from offbranch.pipeline.plan import Plan, content_of, describe, locked_item, make_plan
from offbranch.pipeline.stage import Dependency, LockedItem, LockedStage, Output, ParamsDependency, Stage
from offbranch.pipeline.status import same_value
from offbranch.storage.objects import Content, ObjectId


def content(letter: str) -> Content:
    return Content(id=ObjectId(letter * 32), size=1, n_files=None, is_executable=False)


def stage(name: str, deps: str = "", outs: str = "", params: str = "", **more: Any) -> Stage:
    return Stage(
        name=name,
        file=RepoPath("dvc.yaml"),
        wdir=RepoPath(""),
        command=f"make {name}",
        deps=tuple(Dependency(written=p, path=RepoPath(p)) for p in deps.split()),
        outs=tuple(Output(written=p, path=RepoPath(p)) for p in outs.split()),
        params=(ParamsDependency(written="params.yaml", path=RepoPath("params.yaml"), keys=tuple(params.split())),)
        if params
        else (),
        **more,
    )


A = stage("a", deps="in", outs="mid", params="lr")
B = stage("b", deps="mid", outs="end")
PARENTS = {"a": (), "b": ("a",)}


def facts(contents: Mapping[str, str], lr: Any = 0.1, cached: str = "ime") -> Facts:
    return Facts(
        contents={path: content(letter) if letter else None for path, letter in contents.items()},
        params={"params.yaml": {"lr": lr}},
        is_cached=lambda id: id[0] in cached,
        legacy_md5=lambda _: "",
    )


CLEAN = {"in": "a", "mid": "b", "end": "c"}


def recorded(at: Facts) -> dict[str, LockedStage]:
    locks = {}
    for one in (A, B):
        entry = describe(one, at)
        outs = tuple(
            locked_item(out.written, found)
            for out in one.outs
            if isinstance(found := at.contents[out.written], Content)
        )
        locks[one.address] = LockedStage(command=entry.command, deps=entry.deps, params=entry.params, outs=outs)
    return locks


def plan(at: Facts, locks: Mapping[str, LockedStage], options: PlanOptions | None = None, **found: LockedStage) -> Plan:
    return make_plan(
        (A, B), locks, at, options or PlanOptions(), look_up=lambda one, _: found.get(one.address), parents=PARENTS
    )


def actions(made: Plan) -> list[str]:
    return [step.action.value for step in made.steps]


LOCKS = recorded(facts(CLEAN))


def test_nothing_changed_is_nothing_to_do() -> None:
    made = plan(facts(CLEAN, cached="abc"), LOCKS)
    assert made.is_empty
    assert all(step.reasons == () for step in made.steps)


def test_a_changed_parameter_runs_its_stage_and_leaves_the_next_undecided() -> None:
    made = plan(facts(CLEAN, lr=0.2, cached="abc"), LOCKS)
    assert actions(made) == ["run", "undecided"]
    assert made.steps[0].reasons[0].text == "parameter lr changed 0.1 -> 0.2"
    assert made.steps[1].reasons[0].text == "dependency mid is made by 'a', which runs first"


def test_a_run_cache_hit_makes_the_rest_of_the_plan_certain() -> None:
    entry = LockedStage(command=A.command, outs=(locked_item("mid", content("b")),))
    made = plan(facts(CLEAN, lr=0.2, cached="abc"), LOCKS, a=entry)
    assert actions(made) == ["restore", "skip"]


def test_missing_output_that_is_cached_is_checked_out() -> None:
    made = plan(facts({**CLEAN, "mid": ""}, cached="abc"), LOCKS)
    assert actions(made) == ["checkout", "skip"]
    assert made.steps[0].reasons[0].text == "output mid missing"


def test_missing_output_that_is_nowhere_is_made_again() -> None:
    made = plan(facts({**CLEAN, "mid": ""}, cached="ac"), LOCKS)
    assert actions(made) == ["run", "undecided"]
    assert made.steps[0].reasons[0].text == "output mid not in the cache"


def test_missing_content_alone_may_be_allowed() -> None:
    made = plan(facts({**CLEAN, "mid": "", "end": ""}, cached=""), LOCKS, PlanOptions(allow_missing=True))
    assert actions(made) == ["skip", "skip"]


def test_force_runs_everything_and_never_asks_the_run_cache() -> None:
    made = make_plan(
        (A, B),
        LOCKS,
        facts(CLEAN, cached="abc"),
        PlanOptions(force=True),
        look_up=lambda *_: (_ for _ in ()).throw(AssertionError("asked")),
        parents=PARENTS,
    )
    assert actions(made) == ["run", "run"]


def test_force_downstream_spreads_from_a_stage_that_runs() -> None:
    made = plan(facts(CLEAN, lr=0.2, cached="abc"), LOCKS, PlanOptions(forced_after=True))
    assert [step.reasons[0].code for step in made.steps] == ["parameter", "forced"]


def test_a_stage_without_record_says_only_that() -> None:
    made = plan(facts(CLEAN, cached="abc"), {"b": LOCKS["b"]})
    assert [reason.text for reason in made.steps[0].reasons] == ["it has not run yet"]


def test_data_that_is_nowhere_blocks() -> None:
    data = Stage(
        name=None, file=RepoPath("in.dvc"), wdir=RepoPath(""), outs=(Output(written="in", path=RepoPath("in")),)
    )
    locks = {"in.dvc": LockedStage(outs=(locked_item("in", content("a")),))}

    def decide(at: Facts) -> str:
        return make_plan((data,), locks, at, PlanOptions(), look_up=lambda *_: None, parents={}).steps[0].action.value

    assert decide(facts({"in": "a"}, cached="a")) == "skip"
    assert decide(facts({"in": ""}, cached="a")) == "checkout"
    assert decide(facts({"in": ""}, cached="")) == "blocked"
    assert decide(facts({"in": "d"}, cached="a")) == "record"


def test_a_nested_parameter_is_named_by_its_leaf() -> None:
    one = stage("a", deps="in", outs="mid", params="train")
    at = Facts(
        contents={"in": content("a"), "mid": content("b")},
        params={"params.yaml": {"train": {"lr": 0.1, "n": 3, "gone": 1}}},
        is_cached=lambda _: True,
        legacy_md5=lambda _: "",
    )
    lock = LockedStage(
        command=one.command,
        deps=(locked_item("in", content("a")),),
        params={"params.yaml": {"train": {"lr": 0.01, "n": 3, "new": 2}}},
        outs=(locked_item("mid", content("b")),),
    )
    made = make_plan((one,), {"a": lock}, at, PlanOptions(), look_up=lambda *_: None, parents={})
    assert [reason.text for reason in made.steps[0].reasons] == [
        "parameter train.lr changed 0.01 -> 0.1",
        "parameter train.gone is new, 1",
        "parameter train.new missing",
    ]


def test_a_part_of_what_an_earlier_stage_makes_is_pending() -> None:
    maker, reader = stage("a", deps="in", outs="dir", params="lr"), stage("b", deps="dir/part", outs="end")
    at = Facts(
        contents={"in": content("a"), "dir": content("b"), "dir/part": content("d"), "end": content("c")},
        params={"params.yaml": {"lr": 0.2}},
        is_cached=lambda _: True,
        legacy_md5=lambda _: "",
    )
    locks = {
        "a": LockedStage(
            command="make a",
            deps=(locked_item("in", content("a")),),
            params={"params.yaml": {"lr": 0.1}},
            outs=(locked_item("dir", content("b")),),
        ),
        "b": LockedStage(
            command="make b", deps=(locked_item("dir/part", content("d")),), outs=(locked_item("end", content("c")),)
        ),
    }
    made = make_plan((maker, reader), locks, at, PlanOptions(), look_up=lambda *_: None, parents=PARENTS)
    assert actions(made) == ["run", "undecided"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_a_value_is_the_same_as_itself_and_as_its_tuple(value: Any) -> None:
    assert same_value(value, value)
    if isinstance(value, list):
        assert same_value(tuple(value), value)


@given(st.sampled_from("abc"), st.booleans())
def test_recorded_content_comes_back(letter: str, executable: bool) -> None:
    before = Content(id=ObjectId(letter * 32), size=3, n_files=None, is_executable=executable)
    assert content_of(locked_item("x", before)) == before
    assert content_of(LockedItem(written="x")) is None
