"""`exp show` and `exp list` beside real DVC: every option, on one project after another; and that ours disturbs DVC nowhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sample_project
from interop.peers import PeerProject, make_peer_project, peer_project
from interop.pipelines import EXPERIMENTS
from interop.test_experiments import without_messages

pytestmark = pytest.mark.interop

# Without `--hide-rewritten` ours shows more; with revisions that are named there is nothing to hide.
JSON: tuple[tuple[str, ...], ...] = (
    ("--hide-rewritten",),
    ("-n", "-1"),
    ("-n", "2"),
    ("-n", "0"),
    ("-a",),
    ("-T",),
    ("-a", "-T"),
    ("-a", "-n", "2"),
    ("--rev", "side"),
    ("--rev", "v1", "--rev", "main"),
    ("--rev", "side", "-n", "2"),
    ("--rev", "first"),
    ("--hide-rewritten", "--sha"),
    ("--hide-rewritten", "--hide-workspace"),
    ("--hide-rewritten", "--hide-failed", "--hide-queued"),
    ("--hide-rewritten", "--only-changed", "--drop", "lr", "--sort-by", "acc"),
)
TABLES: tuple[tuple[str, ...], ...] = (
    ("--csv",),
    ("--csv", "--sha"),
    ("--csv", "-f"),
    ("--csv", "-n", "2"),
    ("--csv", "--rev", "HEAD~1", "-n", "3"),
    ("--csv", "--only-changed"),
    ("--csv", "--drop", ".*lr"),
    ("--csv", "--drop", "Created"),
    ("--csv", "--drop", "params.yaml"),
    ("--csv", "--drop", "acc", "--drop", "lr"),
    ("--csv", "--drop", "net.*", "--keep", "net.depth"),
    ("--csv", "--keep", "net"),
    ("--csv", "--only-changed", "--keep", "net.depth"),
    ("--csv", "--sort-by", "metrics.json:acc"),
    ("--csv", "--sort-by", "acc", "--sort-order", "desc"),
    ("--csv", "--sort-by", "name"),
    ("--csv", "--sort-by", "net.sizes"),
    ("--csv", "--precision", "2"),
    ("--csv", "--hide-workspace", "--hide-failed", "--hide-queued"),
    ("--md",),
    ("--md", "--sha"),
    ("--md", "--only-changed"),
    ("--md", "--drop", "(acc|lr)"),
    ("--md", "--drop", "Created"),
    ("--md", "--sort-by", "acc", "--sort-order", "desc"),
)
REFUSED: tuple[tuple[str, ...], ...] = (
    ("--csv", "--sort-by", "lr"),
    ("--csv", "--sort-by", "nope"),
    ("--csv", "--sort-by", "Created"),
    ("--csv", "--rev", "nope"),
    ("--csv", "--sort-order", "up"),
    ("--csv", "-n", "x"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PeerProject]:
    """The project, made once for the module; no test changes it."""
    return {}


@pytest.fixture
def project(dvc: str, tmp_path_factory: pytest.TempPathFactory, made: dict[str, PeerProject]) -> PeerProject:
    """The sample project with a side branch, a tag with a message, and a change in the workspace."""
    if not made:
        root = tmp_path_factory.mktemp("show") / "p"
        sample_project.build(root)
        found = peer_project(root, dvc)
        found.git("checkout", "-q", "-b", "side", "v1")
        found.write("side.txt", "x\n")
        found.commit("side")
        side = found.git("rev-parse", "HEAD")
        found.write("params.yaml", found.read("params.yaml").replace("lr: 0.1", "lr: 0.7"))
        found.git("commit", "-qam", "dvc: commit experiment sidexp")
        found.git("update-ref", f"refs/exps/{side[:2]}/{side[2:]}/sidexp", "HEAD")
        found.git("reset", "-q", "--hard", side)
        found.git("tag", "-a", "-m", "with words", "v2")
        found.git("checkout", "-q", "main")
        found.write("params.yaml", found.read("params.yaml").replace("lr: 0.1", "lr: 0.15"))
        made["p"] = found
    return made["p"]


@pytest.mark.parametrize("options", JSON, ids=" ".join)
def test_json(project: PeerProject, options: tuple[str, ...]) -> None:
    theirs = [each for each in options if each != "--hide-rewritten"]
    expected = without_messages(project.dvc("exp", "show", "--json", *theirs).json)
    assert without_messages(project.did("exp", "show", "--json", *options).json) == expected


@pytest.mark.parametrize("options", TABLES, ids=" ".join)
def test_tables(project: PeerProject, options: tuple[str, ...]) -> None:
    assert project.did("exp", "show", *options).out == project.dvc("exp", "show", *options).out


@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_both_refuse(project: PeerProject, options: tuple[str, ...]) -> None:
    assert project.dvc("exp", "show", *options, code=None).code != 0
    ran = project.ob("exp", "show", *options)
    assert (ran.code in (1, 2), ran.out) == (True, "")
    assert "hint: " in ran.err


def test_only_parameters_of_stages(project: PeerProject) -> None:
    """DVC forgets the option for the row of the baseline, where ours does what it says."""
    ours, theirs = (
        without_messages(ran.json)
        for ran in (
            project.did("exp", "show", "--json", "-f", "--param-deps", "--hide-rewritten"),
            project.dvc("exp", "show", "--json", "-f", "--param-deps"),
        )
    )
    assert ours[0] == theirs[0]
    assert ours[1]["experiments"] == theirs[1]["experiments"]
    assert "name" not in ours[1]["data"]["params"]["params.yaml"]["data"]


def test_all_commits(project: PeerProject) -> None:
    """The same baselines with the same experiments; HEAD is the first of ours, the newest commit of DVC's."""

    def by_rev(states: Any) -> dict[str, Any]:
        return {state["rev"]: without_messages(state) for state in states}

    ours = project.did("exp", "show", "--json", "-A").json
    assert by_rev(ours) == by_rev(project.dvc("exp", "show", "--json", "-A").json)
    assert ours[1]["rev"] == project.git("rev-parse", "HEAD")


@pytest.mark.parametrize(
    "options", [(), ("-A",), ("-n", "2"), ("--rev", "side"), ("--name-only", "-n", "-1"), ("--sha-only",)]
)
def test_list(project: PeerProject, options: tuple[str, ...]) -> None:
    ob, dvc = project.did("exp", "list", *options).out, project.dvc("exp", "list", *options).out
    assert sorted(ob.splitlines()) == sorted(dvc.splitlines())


# Rewritten history, and what is only ours


def amended(project: PeerProject) -> None:
    project.git("commit", "-q", "--amend", "--allow-empty", "-m", "in other words")


def branch_gone(project: PeerProject) -> None:
    project.git("checkout", "-q", "-b", "other", "HEAD~1")
    project.git("branch", "-D", "main")


@pytest.mark.parametrize("rewrite", [amended, branch_gone])
def test_what_dvc_ran_is_found_after_a_rewrite_and_dvc_finds_it_too(
    dvc: str, tmp_path: Path, rewrite: Callable[[PeerProject], None]
) -> None:
    project = make_peer_project(tmp_path / "p", dvc, EXPERIMENTS)
    project.did("repro")
    project.commit("results")
    project.dvc("exp", "run", "-n", "theirs", "-S", "lr=0.5")
    project.did("exp", "run", "-n", "ours", "-S", "lr=0.6")
    project.git("checkout", "-q", "--", ".")
    old = project.git("rev-parse", "HEAD")
    rewrite(project)
    (*_, state) = project.did("exp", "show", "--json").json
    assert (state["rev"], state["subject"]) == (old, "results")
    assert {each["name"] for each in state["experiments"]} == {"ours", "theirs"}
    assert {state["rev"] for state in project.dvc("exp", "show", "--json").json}.isdisjoint({old})
    expected = without_messages(project.dvc("exp", "show", "--json").json)
    assert without_messages(project.did("exp", "show", "--json", "--hide-rewritten").json) == expected
    theirs = without_messages(project.dvc("exp", "show", "--json", "--rev", old).json)
    assert without_messages(project.did("exp", "show", "--json", "--rev", old).json) == theirs
    project.dvc("exp", "apply", "ours")
    project.did("exp", "apply", "theirs")
    assert "lr: 0.5" in project.read("params.yaml")
    assert sorted(project.dvc("exp", "list", "-A", "--name-only").out.split()) == ["ours", "theirs"]


def test_labels_disturb_dvc_nowhere(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, EXPERIMENTS)
    project.did("repro")
    project.commit("results")
    project.dvc("exp", "run", "-n", "one", "-S", "lr=0.5")
    plain = project.dvc("exp", "show", "--json").json
    project.did("exp", "tag", "one", "best", "paper")
    project.did("exp", "note", "one", "of DVC")
    assert project.dvc("exp", "show", "--json").json == plain
    assert project.dvc("exp", "list", "-A", "--name-only").out.split() == ["one"]
    (experiment,) = project.did("exp", "show", "--json").json[1]["experiments"]
    assert experiment["revs"][0].pop("labels") == {"tags": ["best", "paper"], "note": "of DVC"}
    assert json.dumps(experiment) == json.dumps(project.did("exp", "show", "--json").json[1]["experiments"][0]).replace(
        ', "labels": {"tags": ["best", "paper"], "note": "of DVC"}', ""
    )
    project.dvc("exp", "rename", "one", "two")
    assert project.did("exp", "tag", "two").out == "", "labels belong to the name; DVC does not know them"
    project.dvc("exp", "remove", "-A")
    assert project.did("exp", "tag").out == ""
    project.dvc("gc", "-w", "-f")


def test_a_failed_and_a_queued_one_of_dvc_and_ours(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, EXPERIMENTS)
    project.did("repro")
    project.commit("results")
    project.did("exp", "run", "-n", "bad", "-S", "fail=3", code=1)
    project.did("exp", "run", "-n", "good", "-S", "lr=0.5")
    shown = project.did("exp", "show", "--json", "--where", "state == 'failed'").json[1]["experiments"]
    assert [each["name"] for each in shown] == ["bad"]
    best = project.did("exp", "show", "--json", "--best", "5", "--by", "m.json:acc").json[1]["experiments"]
    assert [each["name"] for each in best] == ["good"]
    theirs = project.dvc("exp", "show", "--json").json[1]["experiments"]
    assert [each["name"] for each in theirs] == ["good"]
