"""Experiments: the same commits, and each tool lists, shows, compares, applies, renames and removes the other's."""

import difflib
import json
from pathlib import Path
from typing import Any

import pytest

from interop.peers import PeerProject, assert_same, differences, make_peer_project, snapshot, twins
from interop.pipelines import EXPERIMENTS

pytestmark = pytest.mark.interop


def text_differences(a: object, b: object) -> str:
    """Compares two JSON values line by line; the empty text when they are equal."""
    lines = [json.dumps(without_messages(value), indent=1, sort_keys=True).splitlines() for value in (a, b)]
    return "\n".join(difflib.unified_diff(*lines, lineterm="", n=4))


def without_messages(value: Any) -> Any:
    """The wording of an error is each tool's own."""
    if isinstance(value, dict):
        return {key: bool(item) if key == "error" else without_messages(item) for key, item in value.items()}
    return [without_messages(item) for item in value] if isinstance(value, list) else value


def described(project: PeerProject, name: str) -> dict[str, Any]:
    commit = project.exps()[name]
    return {
        "files": project.git("ls-tree", "-r", commit).splitlines(),
        "message": project.git("log", "-1", "--format=%B", commit),
        "parents": project.git("log", "-1", "--format=%P", commit) == project.git("rev-parse", "HEAD"),
    }


RUNS: tuple[tuple[str, ...], ...] = (
    ("-n", "first"),
    ("-n", "second", "-S", "lr=0.2", "-S", "conf/more.json:seed=7", "-S", "+added=x"),
    ("-n", "third", "--temp", "-S", "lr=0.3", "-S", "train.epochs=9"),
    ("-n", "again"),
    ("-n", "again", "-f", "-m", "my words"),
    ("-n", "part", "prepare", "-S", "conf/more.json:deep.x=2"),
)


@pytest.fixture(scope="module")
def made_by_each(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PeerProject]:
    """The projects of `ran`, made once: the runs take a while."""
    return {}


@pytest.fixture
def ran(
    dvc: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, made_by_each: dict[str, PeerProject]
) -> tuple[PeerProject, PeerProject]:
    """The same experiments, run by each tool in its own copy."""
    if not made_by_each:
        ours = make_peer_project(tmp_path_factory.mktemp("ran") / "ob", dvc, EXPERIMENTS)
        ours.did("repro")
        ours.commit("results")
        ours.runs()
        theirs = ours.copy(ours.root.parent / "dvc")
        for options in RUNS:
            for project in (ours, theirs):
                project.git("checkout", "-q", "--", "params.yaml", "conf")
            ours.did("exp", "run", *options)
            theirs.dvc("exp", "run", *options)
            assert sorted(ours.runs()) == sorted(theirs.runs()), options
        made_by_each.update(ob=ours, dvc=theirs)
    return made_by_each["ob"].copy(tmp_path / "ob"), made_by_each["dvc"].copy(tmp_path / "dvc")


def test_runs_make_the_same_experiments(ran: tuple[PeerProject, PeerProject]) -> None:
    ours, theirs = ran
    assert set(ours.exps()) == set(theirs.exps()) == {"first", "second", "third", "again", "part"}
    for name in ours.exps():
        found = text_differences(described(ours, name), described(theirs, name))
        assert not found, f"{name}: {found}"
    assert_same(ours, theirs)


def test_both_show_list_and_compare_the_same(ran: tuple[PeerProject, PeerProject]) -> None:
    for project in ran:
        project.git("tag", "v1")
        for asked in (["show", "--json"], ["diff", "first", "third", "--json"]):
            found = text_differences(project.did("exp", *asked).json, project.dvc("exp", *asked).json)
            assert not found, found
        assert project.did("exp", "show", "--csv").out == project.dvc("exp", "show", "--csv").out
    for options in (["-A", "--name-only"], ["--sha-only"], ["-A"]):
        for project in ran:
            ob, dvc = project.did("exp", "list", *options).out, project.dvc("exp", "list", *options).out
            assert sorted(ob.split("\n")) == sorted(dvc.split("\n")), options


def test_each_applies_branches_renames_and_removes_what_the_other_ran(ran: tuple[PeerProject, PeerProject]) -> None:
    ours, theirs = ran
    for name in ("third", "first"):
        ours.dvc("exp", "apply", name)
        theirs.did("exp", "apply", name)
        assert_same(ours, theirs)
        assert ours.git("status", "--porcelain") == theirs.git("status", "--porcelain")
    assert ours.did("status", "--json").json == theirs.dvc("status", "--json").json == {}
    ours.dvc("exp", "branch", "second", "two")
    theirs.did("exp", "branch", "second", "two")
    for project in ran:
        assert project.git("rev-parse", "two") == project.exps()["second"]
    ours.dvc("exp", "rename", "second", "other")
    theirs.did("exp", "rename", "second", "other")
    assert set(ours.exps()) == set(theirs.exps()) == {"first", "other", "third", "again", "part"}
    ours.dvc("exp", "remove", "other", "first")
    theirs.did("exp", "remove", "other", "first")
    assert set(ours.exps()) == set(theirs.exps()) == {"third", "again", "part"}
    ours.did("exp", "remove", "-A")
    theirs.dvc("exp", "remove", "-A")
    assert ours.exps() == theirs.exps() == {}


def test_saved_experiments(dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, EXPERIMENTS)
    for project in (ours, theirs):
        project.did("repro")
        project.commit("results")
        project.write("params.yaml", project.read("params.yaml").replace("0.1", "0.7"))
        project.write("read.sh", project.read("read.sh") + "# more\n")
        project.write("m.json", '{"acc": 9}')
        project.write("notes/n.txt", "untracked\n")
        project.write("model.txt", "made by hand\n")
    ours.did("exp", "save", "-n", "kept", "-I", "notes")
    theirs.dvc("exp", "save", "-n", "kept", "-I", "notes")
    mine, other = described(ours, "kept"), described(theirs, "kept")
    assert {line.split("\t")[1] for line in set(mine["files"]) ^ set(other["files"])} == {".dvc/tmp/repro.dat"}
    assert (mine["message"], mine["parents"]) == (other["message"], other["parents"])
    for project in (ours, theirs):
        project.git("stash", "-u", "-q")
    (theirs.root / ".dvc/tmp/repro.dat").unlink()
    ours.dvc("exp", "apply", "kept")
    theirs.did("exp", "apply", "kept")
    assert not theirs.exists(".dvc/tmp/repro.dat")
    assert ".dvc/tmp" not in theirs.git("status", "--porcelain")
    assert theirs.read("model.txt") == "made by hand\n"
    # DVC's `exp save` puts results into its run-cache that it would not record of a run.
    assert_same(ours, theirs, but=".dvc/cache/")


def test_failed_attempts_do_not_disturb_dvc(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, EXPERIMENTS)
    project.did("exp", "run", "-n", "good")
    before = snapshot(project)
    project.did("exp", "run", "-n", "bad", "-S", "fail=1", code=1)
    project.did("exp", "run", "-n", "worse", "--temp", "-S", "fail=1", code=1)
    changed = differences(snapshot(project), before)
    assert not changed, changed
    assert project.dvc("exp", "list", "-A", "--name-only").out.split() == ["good"]
    (_, head) = project.dvc("exp", "show", "--json").json
    assert [one["name"] for one in head["experiments"]] == ["good"]
    assert project.dvc("status", "--json").json == project.did("status", "--json").json == {}
    project.dvc("exp", "remove", "-A")
    assert project.exps() == {}
    names = {one["name"]: one["executor"] for one in project.did("exp", "show", "--json").json[1]["experiments"]}
    assert {name: executor["state"] for name, executor in names.items()} == {"bad": "failed", "worse": "failed"}


def test_the_queue_of_dvc_is_not_disturbed(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, EXPERIMENTS)
    project.dvc("exp", "run", "--queue", "-n", "later", "-S", "lr=0.5")
    project.did("exp", "run", "-n", "now")
    assert "later" in project.dvc("queue", "status").out
    assert {one["name"] for one in project.dvc("exp", "show", "--json").json[1]["experiments"]} == {"later", "now"}
