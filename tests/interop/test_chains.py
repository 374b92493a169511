"""Chains of checkpoints beside real DVC: both say the same of one, and each applies, compares and pushes those of the other."""

from pathlib import Path
from typing import Any

import pytest

from checkpoint_chains import FILES, make_chain
from interop.peers import PeerProject, make_peer_project

pytestmark = pytest.mark.interop


@pytest.fixture
def project(dvc: str, tmp_path: Path) -> PeerProject:
    return make_peer_project(tmp_path / "p", dvc, FILES)


def without_ours(value: Any, theirs: Any) -> Any:
    """Returns the fields that DVC has, too."""
    if isinstance(value, dict) and isinstance(theirs, dict):
        return {key: without_ours(each, theirs[key]) for key, each in value.items() if key in theirs}
    if isinstance(value, list) and isinstance(theirs, list) and len(value) == len(theirs):
        return [without_ours(each, other) for each, other in zip(value, theirs, strict=True)]
    return value


def test_the_json_of_chains_is_that_of_dvc(project: PeerProject) -> None:
    first = make_chain(project, "run", [0.1, 0.2, 0.3])
    make_chain(project, "done", [0.1, 0.25], is_finished=True)
    make_chain(project, "fork", [0.9], above=first[1])
    make_chain(project, "old", [0.5, 0.6], says_numbers=False)
    theirs = project.dvc("exp", "show", "--json").json
    assert without_ours(project.did("exp", "show", "--json").json, theirs) == theirs
    assert project.did("exp", "show", "--csv").out == project.dvc("exp", "show", "--csv").out


def test_a_chain_of_dvc_is_said_to_be_nothing_else(project: PeerProject) -> None:
    make_chain(project, "old", [0.5, 0.6], says_numbers=False)
    assert project.did("exp", "show", "--json").json == project.dvc("exp", "show", "--json").json
    assert project.did("exp", "list").out == project.dvc("exp", "list").out


def test_both_compare_and_apply_a_middle_one(project: PeerProject, tmp_path: Path) -> None:
    chain = make_chain(project, "run", [0.1, 0.2, 0.3])
    theirs = project.dvc("exp", "diff", "--json", chain[0], chain[2]).json
    assert project.did("exp", "diff", "--json", "run@1", "run@3").json == theirs
    other = project.copy(tmp_path / "other")
    other.dvc("exp", "apply", chain[1])
    project.did("exp", "apply", "run@2")
    for path in ("metrics.json", "dvc.lock", "model.txt"):
        assert project.read(path) == other.read(path)


def test_neither_takes_a_half_trained_model_for_the_result(project: PeerProject, tmp_path: Path) -> None:
    make_chain(project, "run", [0.1, 0.2, 0.3])
    project.did("exp", "apply", "run@2")
    other = project.copy(tmp_path / "other")
    assert "changed command" in str(other.dvc("status", "--json").json)
    assert project.did("status", "--json").json == other.dvc("status", "--json").json
    other.dvc("repro")
    project.did("repro")
    assert project.read("model.txt") == other.read("model.txt") == "model\n"


def test_the_whole_chain_is_pushed_and_pulled_both_ways(project: PeerProject, tmp_path: Path) -> None:
    chain = make_chain(project, "run", [0.1, 0.2, 0.3])
    project.git("init", "-q", "--bare", str(tmp_path / "there"))
    project.git("remote", "add", "origin", str(tmp_path / "there"))
    project.git("push", "-q", "origin", "HEAD")
    other = project.copy(tmp_path / "other")
    other.did("exp", "remove", "run")
    other.git("reflog", "expire", "--expire=now", "--all")
    other.git("gc", "-q", "--prune=now")
    project.did("exp", "push", "--no-cache", "origin", "run")
    other.dvc("exp", "pull", "--no-cache", "origin", "run")
    assert other.git("rev-list", f"{chain[2]}", "^HEAD").split() == chain[::-1]
    assert other.did("exp", "diff", "--json", "run@1", "run@3").json["metrics"]["metrics.json"]["acc"]["diff"] == (
        pytest.approx(0.2)
    )
