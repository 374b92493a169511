"""Going on from a checkpoint: `ob exp run --resume`, in the workspace and in a copy."""

import json
from pathlib import Path

import pytest

from asking import chain, mark, output_at, training
from projects import TestProject

EVERY = "--keep-checkpoints=all"
# Adds a line to its model at each step, from where it is; dies once at a step that a file outside of the project names.
GOING_ON = """
import signal
lines = open("model.bin").read().splitlines() if os.environ.get("DVCLIVE_RESUME") else []
lr = open("params.yaml").read().split()[1]
stop = os.environ.get("STOP_AT")
for step in range(len(lines), 5):
    lines.append(f"step {step} lr {lr}")
    open("model.bin", "w").write("".join(f"{line}\\n" for line in lines))
    metrics(acc=step)
    assert ask(step)["is_taken"]
    if stop == str(step):
        while state()["made"] <= step - int(os.environ.get("BEGAN_AT", "0")):
            time.sleep(0.01)
        if os.environ.get("HOW") == "kill":
            os.killpg(0, signal.SIGKILL)
        sys.exit(3)
"""


def whole(lr: object = 1, n: int = 5) -> str:
    return "".join(f"step {step} lr {lr}\n" for step in range(n))


def failed(project: TestProject, *args: str, at: int = 2, name: str = "x", **env: str) -> None:
    done = project.ob("exp", "run", "-n", name, EVERY, *args, STOP_AT=str(at), **env)
    assert done.code == 1, done.err


@pytest.mark.parametrize("first", [(), ("--temp",)])
@pytest.mark.parametrize("then", [(), ("--temp",)])
def test_a_failed_run_goes_on_under_its_name(tmp_path: Path, first: tuple[str, ...], then: tuple[str, ...]) -> None:
    project = training(tmp_path / "p", GOING_ON)
    failed(project, *first)
    before = chain(project, "x")
    assert len(before) == 3
    done = project.ob("exp", "run", "--resume", "x", EVERY, *then)
    assert done.code == 0, done.err
    assert "goes on with 'x' from checkpoint 3 (step 2)" in done.out + done.err
    commits = chain(project, "x")
    assert commits[:3] == before
    assert [(mark(project, each) or {}).get("number") for each in commits] == [1, 2, 3, 4, 5, None]
    assert (output_at(project, commits[-1]) or b"").decode() == whole()
    assert "checkpoint" not in project.file_at(commits[-1], "dvc.lock")
    assert project.git("for-each-ref", "refs/ob") == ""
    rows = project.ob("exp", "show", "--json").json
    assert "model.bin" not in project.git("status", "--porcelain")
    assert json.dumps(rows).count('"name": "x"') >= 1
    if not then:
        assert project.read("model.bin") == whole()
