"""The graph of stages: edges, rules, order, walks."""

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import ConflictError
from offbranch.base.paths import RepoPath, is_external, resolve_in
from offbranch.pipeline.graph import Graph, build_graph, component, downstream, in_order, upstream
from offbranch.pipeline.stage import Dependency, Output, ParamsDependency, Stage


def stage(
    name: str,
    deps: str = "",
    outs: str = "",
    *,
    params: str = "",
    wdir: str = "",
    file: str = "dvc.yaml",
    frozen: bool = False,
) -> Stage:
    def place(written: str) -> RepoPath | None:
        return None if is_external(written) else resolve_in(RepoPath(wdir), written)

    return Stage(
        name=name,
        file=RepoPath(file),
        wdir=RepoPath(wdir),
        command="x",
        deps=tuple(Dependency(written=path, path=place(path)) for path in deps.split()),
        params=tuple(ParamsDependency(written=path, path=place(path), keys=()) for path in params.split()),
        outs=tuple(Output(written=path, path=place(path)) for path in outs.split()),
        frozen=frozen,
    )


def graph_of(edges: Mapping[str, str], frozen: str = "") -> Graph:
    """Builds stages that each make a file of their own name and read those named."""
    return build_graph([stage(name, deps, name, frozen=name in frozen.split()) for name, deps in edges.items()])


@pytest.mark.parametrize(
    ("dep", "out", "connected"),
    [
        ("d", "d", True),
        ("d/x/y", "d", True),
        ("d", "d/x/y", True),
        (".", "d/x", True),
        ("d", "dd", False),
        ("d/x", "d/xy", False),
        ("d/x", "d/y", False),
        ("./d/", "d", True),
        ("/abs/x", "/abs/x", True),
        ("/abs/x/y", "/abs/x", True),
        ("/abs", "/abs/x", True),
        (".", "/abs/x", False),
        ("../e", "../e", True),
        ("../e/f", "../e", True),
        (".", "../e", False),
        ("s3://b/k", "s3://b/k", True),
        (".", "s3://b/k", False),
    ],
)
def test_edges(dep: str, out: str, connected: bool) -> None:
    graph = build_graph([stage("reads", dep), stage("makes", "", out)])
    assert graph.needs["reads"] == (("makes",) if connected else ())
    assert graph.feeds["makes"] == (("reads",) if connected else ())


def test_external_paths_are_compared_from_the_root() -> None:
    graph = build_graph([stage("a", "../../e", wdir="sub"), stage("b", "", "../e")])
    assert graph.needs["a"] == ("b",)


def test_parameter_files_are_dependencies() -> None:
    graph = build_graph([stage("a", params="conf/p.yaml"), stage("b", "", "conf")])
    assert graph.needs["a"] == ("b",)


def test_a_directory_needs_every_stage_that_makes_a_part_once() -> None:
    graph = build_graph([stage("all", "d"), stage("x", "", "d/x"), stage("y", "", "d/y d/z")])
    assert graph.needs["all"] == ("x", "y")


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([stage("a", "", "o"), stage("b", "", "./o")], ["'o' is an output of two stages, 'a' and 'b'"]),
        ([stage("a", "", "d"), stage("b", "", "d/o")], ["'d/o' of 'b' lies inside the output 'd' of 'a'"]),
        ([stage("a", "", "d/o"), stage("b", "", "d")], ["'d/o' of 'a' lies inside the output 'd' of 'b'"]),
        ([stage("a", "", "d"), stage("b", file="d/dvc.yaml")], ["'d/dvc.yaml' lies inside the output 'd' of 'a'"]),
        ([stage("a", "o", "o")], ["'a' depends on its own output"]),
        ([stage("a", "d", "d/o")], ["'a' depends on its own output"]),
        ([stage("a", "y", "x"), stage("b", "x", "y")], ["in a circle: a -> b -> a"]),
        (
            [stage("last", "c"), stage("b", "a", "b"), stage("c", "b", "c"), stage("a", "c", "a")],
            ["in a circle: b -> c -> a -> b"],
        ),
    ],
)
def test_rules(stages: list[Stage], words: list[str]) -> None:
    with pytest.raises(ConflictError) as caught:
        build_graph(stages)
    for word in words:
        assert word in caught.value.message
    assert caught.value.hint


def test_two_outputs_side_by_side_are_fine() -> None:
    build_graph([stage("a", "", "d/a d/b"), stage("b", "", "d/c dd")])


def test_order_is_depth_first_in_file_order() -> None:
    graph = graph_of({"end": "b a", "b": "base", "a": "base", "base": "", "alone": ""})
    assert in_order(graph) == ("base", "b", "a", "end", "alone")
    assert in_order(graph, {"end", "alone", "base"}) == ("base", "end", "alone")


def test_order_of_a_selection_respects_what_lies_between() -> None:
    graph = graph_of({"end": "mid", "mid": "start", "start": ""})
    assert in_order(graph, ["end", "start"]) == ("start", "end")


def test_walks() -> None:
    graph = graph_of({"a": "", "b": "a", "c": "b", "x": "a", "y": "", "z": "y"})
    assert upstream(graph, ["c"]) == ("a", "b", "c")
    assert downstream(graph, ["b"]) == ("b", "c")
    assert downstream(graph, ["a"]) == ("a", "b", "c", "x")
    assert component(graph, ["c"]) == ("a", "b", "c", "x")
    assert component(graph, ["z", "b"]) == ("a", "b", "c", "x", "y", "z")


def test_frozen_stages_are_cut() -> None:
    graph = graph_of({"a": "", "b": "a", "c": "b"}, frozen="b")
    assert upstream(graph, ["c"]) == ("b", "c")
    assert upstream(graph, ["c"], cut_frozen=False) == ("a", "b", "c")
    assert downstream(graph, ["a"]) == ("a",)
    assert downstream(graph, ["b"]) == ("b", "c")
    assert downstream(graph, ["a"], cut_frozen=False) == ("a", "b", "c")


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, str]:
    """Stages in any file order, each needing only some with a smaller number."""
    n_stages = draw(st.integers(1, 12))
    needs = {
        f"s{n}": " ".join(f"s{m}" for m in draw(st.sets(st.integers(0, n - 1), max_size=3))) if n else ""
        for n in range(n_stages)
    }
    return {name: needs[name] for name in draw(st.permutations(list(needs)))}


@given(acyclic(), st.data())
def test_every_order_has_needs_first(edges: dict[str, str], data: st.DataObject) -> None:
    graph = graph_of(edges)
    order = in_order(graph)
    assert sorted(order) == sorted(edges)
    for name, needs in edges.items():
        assert all(order.index(needed) < order.index(name) for needed in needs.split())
    start = data.draw(st.sampled_from(sorted(edges)))
    for other in upstream(graph, [start]):
        assert start in downstream(graph, [other])
    assert set(upstream(graph, [start])) | set(downstream(graph, [start])) <= set(component(graph, [start]))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True))
def test_every_circle_is_named(members: list[int]) -> None:
    stages = [stage(f"s{m}", f"o{members[n - 1]}", f"o{m}") for n, m in enumerate(members)]
    with pytest.raises(ConflictError) as caught:
        build_graph(stages)
    assert all(f"s{m}" in caught.value.message for m in members)


def test_long_chains_and_many_stages() -> None:
    stages = [stage(f"s{n}", f"d/o{n + 1} lib/common", f"d/o{n}") for n in range(10_000)]
    started = time.process_time()
    graph = build_graph(stages)
    assert in_order(graph)[0] == "s9999"
    assert len(upstream(graph, ["s0"])) == 10_000
    assert time.process_time() - started < 3
