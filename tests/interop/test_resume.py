"""Chains of runs that went on from a checkpoint, as real DVC sees them; and going on from what it has applied."""

import json
from pathlib import Path

import pytest

from asking import ASK, PIPELINE, chain
from interop.peers import PeerProject, make_peer_project

pytestmark = pytest.mark.interop

LOOP = """
lines = open("model.bin").read().splitlines() if os.environ.get("DVCLIVE_RESUME") else []
for step in range(len(lines), 4):
    lines.append(f"step {step}")
    open("model.bin", "w").write("".join(f"{line}\\n" for line in lines))
    metrics(acc=step / 10)
    assert ask(step)["is_taken"]
    if os.environ.get("STOP_AT") == str(step):
        sys.exit(3)
"""
FILES = {"train.py": ASK + LOOP, "params.yaml": "lr: 1\n", "dvc.yaml": PIPELINE}
KEEP = "--keep-checkpoints=all"


@pytest.fixture
def stopped(dvc: str, tmp_path: Path) -> PeerProject:
    project = make_peer_project(tmp_path / "p", dvc, FILES)
    project.did("exp", "run", "-n", "x", KEEP, STOP_AT="1", code=1)
    return project


def whole(n: int) -> str:
    return "".join(f"step {step}\n" for step in range(n))


def test_it_sees_one_chain(stopped: PeerProject) -> None:
    project = stopped
    project.did("exp", "run", "--resume", "x", KEEP)
    project.did("exp", "run", "--resume", "x@2", "-S", "lr=2", "-n", "y", KEEP, "--temp")
    commits, others = chain(project, "x"), chain(project, "y")
    assert (len(commits), others[:2]) == (5, commits[:2])
    assert sorted(project.dvc("exp", "list", "--name-only").out.split()) == ["x", "y"]
    shown = json.loads(project.dvc("exp", "show", "--json").out)
    revs = {each["name"]: [rev["rev"] for rev in each["revs"]] for each in shown[1]["experiments"]}
    assert revs == {"x": commits[::-1], "y": others[::-1]}
    diff = json.loads(project.dvc("exp", "diff", commits[1], commits[3], "--json").out)
    assert diff["metrics"]["HEAD" if "HEAD" in diff["metrics"] else "metrics.json"]["acc"]["diff"] == pytest.approx(0.2)
    assert "up to date" in project.dvc("status").out
    project.git("reset", "-q", "--hard")
    project.git("clean", "-q", "-f", "-d")
    project.dvc("exp", "apply", commits[2])
    assert project.read("model.bin") == whole(3)
    assert "changed command" in project.dvc("status").out


def test_it_may_have_applied_one_before(stopped: PeerProject) -> None:
    project = stopped
    project.git("reset", "-q", "--hard")
    project.git("clean", "-q", "-f", "-d")
    project.dvc("exp", "apply", chain(project, "x")[0])
    assert project.read("model.bin") == whole(1)
    project.did("exp", "run", "--resume", "x", KEEP)
    assert project.read("model.bin") == whole(4)
    assert len(chain(project, "x")) == 5
    assert "up to date" in project.dvc("status").out
