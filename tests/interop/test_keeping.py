"""Applying, branching, renaming, removing and saving: refs and workspaces the same, whichever tool does it, and comparing."""

import json
from pathlib import Path
from typing import Any

import pytest

from interop.peers import Originals, PeerProject, assert_same, make_peer_project, twins
from interop.pipelines import EXPERIMENTS

pytestmark = pytest.mark.interop


@pytest.fixture
def pair(originals: Originals, dvc: str, tmp_path: Path) -> tuple[PeerProject, PeerProject]:
    """Two copies of one project: experiments of two baselines, run by either tool."""
    return originals.copy(build, dvc, tmp_path / "ob"), originals.copy(build, dvc, tmp_path / "dvc")


def build(root: Path, dvc: str) -> PeerProject:
    ours = make_peer_project(root, dvc, EXPERIMENTS)
    ours.did("repro")
    ours.commit("results")
    ours.did("exp", "run", "-n", "a", "-S", "lr=0.2")
    ours.dvc("exp", "run", "-n", "b", "-S", "lr=0.3")
    ours.git("stash", "-q")
    ours.git("stash", "drop", "-q")
    ours.git("commit", "-q", "--allow-empty", "-m", "second")
    ours.did("exp", "run", "-n", "c", "--temp", "-S", "lr=0.4")
    ours.dvc("exp", "run", "-n", "d", "--temp", "-S", "lr=0.5")
    return ours


def refs(project: PeerProject) -> list[str]:
    """All refs of DVC and all branches, but for what only one of the two tools leaves behind."""
    lines = project.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps", "refs/heads").splitlines()
    return [line for line in lines if not line.startswith(("refs/exps/exec/EXEC_HEAD", "refs/exps/apply/stash"))]


def ref_of(project: PeerProject, name: str) -> str:
    return project.git("for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{name}")


REMOVALS: tuple[tuple[str, ...], ...] = (
    ("a", "d"),
    ("REF:b",),
    ("a", "b", "--keep"),
    ("--rev", "HEAD"),
    ("--rev", "HEAD~1"),
    ("--rev", "HEAD", "-n", "2"),
    ("--rev", "HEAD~1", "--keep"),
    ("-A",),
)


@pytest.mark.parametrize("words", REMOVALS, ids=" ".join)
def test_removing(pair: tuple[PeerProject, PeerProject], words: tuple[str, ...]) -> None:
    ours, theirs = pair
    for project in pair:
        project.dvc("exp", "apply", "a")
    spelled = [ref_of(ours, word.removeprefix("REF:")) if word.startswith("REF:") else word for word in words]
    before = refs(ours)
    told = ours.did("exp", "remove", *spelled, "--dry-run", "--json").json
    assert refs(ours) == before
    ours.did("exp", "remove", *spelled)
    theirs.dvc("exp", "remove", *spelled)
    assert refs(ours) == refs(theirs)
    gone = {line.split(" ")[0].rpartition("/")[2] for line in set(before) - set(refs(ours))}
    assert set(told) == gone - {"EXEC_APPLY"}
    assert_same(ours, theirs)


@pytest.mark.parametrize("words", [("a", "new"), ("a", "a")], ids=" ".join)
def test_renaming(pair: tuple[PeerProject, PeerProject], words: tuple[str, ...]) -> None:
    ours, theirs = pair
    ours.did("exp", "rename", "c", words[1])  # of another baseline: no conflict
    theirs.dvc("exp", "rename", "c", words[1])
    ours.did("exp", "rename", *words)
    theirs.dvc("exp", "rename", *words)
    assert refs(ours) == refs(theirs)
    ours.did("exp", "rename", "b", words[1], code=1)
    theirs.dvc("exp", "rename", "b", words[1], code=None)
    assert refs(ours) == refs(theirs)
    ours.did("exp", "rename", "-f", "b", words[1])
    theirs.dvc("exp", "rename", "-f", "b", words[1])
    assert refs(ours) == refs(theirs)


def test_branching(pair: tuple[PeerProject, PeerProject]) -> None:
    ours, theirs = pair
    commit = ours.exps()["b"]
    for words in (("a",), (commit,), ("c", "mine"), (ref_of(ours, "d"), "whole")):
        ours.did("exp", "branch", *words)
        theirs.dvc("exp", "branch", *words)
    assert refs(ours) == refs(theirs)
    assert {"refs/heads/a-branch", "refs/heads/b-branch"} <= {line.split(" ")[0] for line in refs(ours)}
    ours.did("exp", "branch", "a", code=1)
    theirs.dvc("exp", "branch", "a", code=255)


def work(project: PeerProject) -> None:
    project.write("params.yaml", project.read("params.yaml").replace("0.1", "0.9"))
    project.write("mine.txt", "untracked\n")
    project.write("model.txt", "made by hand\n")


@pytest.mark.parametrize("name", ["a", "b", "c", "HEAD~1"])
def test_applying_over_local_work(pair: tuple[PeerProject, PeerProject], name: str) -> None:
    ours, theirs = pair
    for project in pair:
        project.git("checkout", "-q", "-f", "HEAD")
        project.did("checkout", "-f")
        work(project)
    ours.did("exp", "apply", name)
    theirs.dvc("exp", "apply", name)
    # DVC does not put into the cache what somebody has changed by hand: it is lost.
    assert_same(ours, theirs, but=".dvc/cache/")
    assert refs(ours) == refs(theirs)
    assert ours.git("status", "--porcelain") == theirs.git("status", "--porcelain")
    saved = ours.git("rev-parse", "refs/exps/apply/stash")
    theirs.dvc("exp", "apply", "b")
    ours.dvc("exp", "apply", "b")
    ours.did("exp", "apply", saved)
    assert ours.read("model.txt") == "made by hand\n"
    assert "0.9" in ours.read("params.yaml")


def last_line(out: str) -> Any:
    """DVC prints what it does before the JSON."""
    return json.loads(out.splitlines()[-1])


def test_saving_with_targets_messages_and_names(dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, EXPERIMENTS)
    for project in (ours, theirs):
        project.did("repro")
        project.commit("results")
        project.write("params.yaml", project.read("params.yaml").replace("0.1", "0.7"))
        project.write("ignored.log", "ignored\n")
        project.write(".gitignore", project.read(".gitignore") + "*.log\n")
        project.write("deep/er/x.txt", "x\n")
    options = ("-n", "kept", "-m", "my own words", "-I", "deep", "-I", "ignored.log", "--json")
    mine, other = ours.did("exp", "save", *options).json, last_line(theirs.dvc("exp", "save", *options).out)
    assert mine["ref"] == ours.exps()["kept"] and other["ref"] == theirs.exps()["kept"]
    trees = [
        [line for line in project.git("ls-tree", "-r", "kept-it").splitlines() if "repro.dat" not in line]
        for project in (ours, theirs)
        if project.git("branch", "kept-it", project.exps()["kept"]) == ""
    ]
    assert trees[0] == trees[1]
    messages = {project.git("log", "-1", "--format=%B", "kept-it") for project in (ours, theirs)}
    assert messages == {"my own words"}
    ours.did("exp", "save", "-n", "kept", code=1)
    theirs.dvc("exp", "save", "-n", "kept", code=1)
    ours.did("exp", "save", "-n", "kept", "-f")
    theirs.dvc("exp", "save", "-n", "kept", "-f")
    assert ours.dvc("exp", "list", "--name-only").out.split() == ["kept"]
    assert theirs.did("exp", "list", "--name-only").out.split() == ["kept"]


def test_comparing(pair: tuple[PeerProject, PeerProject]) -> None:
    ours, _ = pair
    for words in (("a", "b"), ("b", "HEAD"), ("a",), (), ("HEAD~1", "d"), ("a", "b", "--all"), ("a", "--param-deps")):
        of_dvc = ours.dvc("exp", "diff", *words, "--json").json
        assert ours.did("exp", "diff", *words, "--json").json == of_dvc, words
        full = ours.did("exp", "diff", *words, "--full", "--json").json
        assert {"metrics": full["metrics"], "params": full["params"]} == of_dvc, words
    same = ours.did("exp", "diff", "a", "a", "--md")
    assert same.out == ours.dvc("exp", "diff", "a", "a", "--md").out
    table = ours.did("exp", "compare", "a", "b", "--json", "--only", "params").json
    changes = ours.dvc("exp", "diff", "a", "b", "--json").json["params"]
    assert {
        path: {name: each["values"] for name, each in names.items()} for path, names in table["params"].items()
    } == {
        path: {name: {"a": each["old"], "b": each["new"]} for name, each in names.items()}
        for path, names in changes.items()
    }
