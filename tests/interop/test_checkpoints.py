"""Chains that we make, as real DVC sees them: listed, shown, applied, compared, branched, pushed and removed."""

import json
from pathlib import Path

import pytest

from asking import ASK, PIPELINE, THREE, chain
from interop.peers import PeerProject, make_peer_project

pytestmark = pytest.mark.interop

FILES = {"train.py": ASK + THREE, "params.yaml": "lr: 1\n", "dvc.yaml": PIPELINE}
# DVC runs the same stage without anybody to ask.
ALONE = THREE.replace('assert ask(step)["is_taken"]', "pass")


@pytest.fixture
def ran(dvc: str, tmp_path: Path) -> PeerProject:
    project = make_peer_project(tmp_path / "p", dvc, FILES)
    project.did("exp", "run", "-n", "x", "--keep-checkpoints", "all")
    return project


def restart(project: PeerProject) -> None:
    project.git("reset", "-q", "--hard")
    project.git("clean", "-q", "-f", "-d")


def test_it_lists_and_shows_the_whole_chain(ran: PeerProject) -> None:
    commits = chain(ran, "x")
    assert ran.dvc("exp", "list", "--name-only").out.split() == ["x"]
    shown = json.loads(ran.dvc("exp", "show", "--json").out)
    (experiment,) = shown[1]["experiments"]
    revs = experiment["revs"]
    assert [each["rev"] for each in revs] == commits[::-1]
    metrics = [each["data"]["metrics"]["metrics.json"]["data"]["acc"] for each in revs]
    assert metrics == [0.2, 0.2, 0.1, 0.0]


@pytest.mark.parametrize("which", [0, 2, 3])
def test_it_applies_any_of_them_and_runs_what_had_not_ended(ran: PeerProject, which: int) -> None:
    commits = chain(ran, "x")
    restart(ran)
    ran.dvc("exp", "apply", commits[which])
    assert ran.read("model.bin") == ("model 2 and on" if which == 3 else f"model {which}")
    status = ran.dvc("status").out
    if which == 3:
        assert "up to date" in status
        return
    assert "changed command" in status
    ran.git("add", "-A", ".")
    ran.write("train.py", ASK.replace('os.environ["OFFBRANCH_HANDOFF"]', '""') + ALONE)
    assert "Running stage 'train'" in ran.dvc("repro").out
    assert ran.read("model.bin") == "model 2 and on"


def test_it_compares_branches_and_pushes_them(ran: PeerProject, tmp_path: Path) -> None:
    commits = chain(ran, "x")
    diff = json.loads(ran.dvc("exp", "diff", commits[0], commits[2], "--json").out)
    assert diff["metrics"]["metrics.json"]["acc"] == {"old": 0.0, "new": 0.2, "diff": 0.2}
    ran.dvc("exp", "branch", "x", "made")
    assert ran.git("rev-parse", "made") == commits[-1]
    bare = tmp_path / "bare"
    ran.git("init", "-q", "--bare", str(bare))
    ran.git("remote", "add", "origin", str(bare))
    ran.git("push", "-q", "origin", "main")
    assert "Pushed experiment" in ran.dvc("exp", "push", "--no-cache", "origin", "x").out
    assert commits[-1] in ran.git("ls-remote", "origin")
    ran.dvc("exp", "remove", "x")
    assert ran.exps() == {}
    ran.dvc("exp", "pull", "--no-cache", "origin", "x")
    assert chain(ran, "x") == commits


def test_one_that_failed_can_be_applied(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, {**FILES, "train.py": ASK + THREE + "sys.exit(1)\n"})
    project.did("exp", "run", "-n", "x", code=1)
    project.dvc("exp", "apply", "x")
    assert project.read("model.bin") == "model 2"
    assert json.loads(project.read("metrics.json")) == {"acc": 0.2}


def test_an_output_that_says_checkpoint_is_an_ordinary_one_to_it(dvc: str, tmp_path: Path) -> None:
    script = """
before = open("model.bin").read() if os.path.exists("model.bin") else ""
open("model.bin", "w").write(before + "+")
metrics(acc=len(before))
"""
    pipeline = PIPELINE.replace("[model.bin]", "[model.bin: {checkpoint: true}]")
    files = {**FILES, "dvc.yaml": pipeline, "train.py": ASK.replace('os.environ["OFFBRANCH_HANDOFF"]', '""') + script}
    project = make_peer_project(tmp_path / "p", dvc, files)
    for n in (1, 2):
        project.did("exp", "run", "-f", "-n", "x")
        assert project.read("model.bin") == "+" * n
    assert "up to date" in project.dvc("status").out
    project.dvc("repro", "-f")
    assert project.read("model.bin") == "+"
