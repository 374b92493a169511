"""Going on where stages had ended before another one failed: they are not run again, and what they had made is there."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asking import ASK, chain, mark, output_at
from projects import SOURCE, TestProject, make_project

EVERY = "--keep-checkpoints=all"
# Adds a line to its model at each step, and one at its end; leaves a note of each of its runs outside of the project.
TRAIN = """
print("train", os.environ.get("DVCLIVE_RESUME"), file=open(os.environ["RUNS"], "a"))
lr = open("params.yaml").read().split()[1]
if not os.environ.get("DVCLIVE_RESUME"):
    open("model.bin", "w").close()
os.makedirs("notes", exist_ok=True)
open("notes/train.txt", "w").write("kept")
live("notes")
for step in range(2):
    open("model.bin", "a").write(f"step {step} lr {lr}\\n")
    metrics(acc=step)
    assert ask(step)["is_taken"]
open("model.bin", "a").write("end\\n")
metrics(acc=9)
"""
JUDGE = """
print("judge", os.environ.get("DVCLIVE_RESUME"), file=open(os.environ["RUNS"], "a"))
if os.environ.get("HOW") == "steps":
    open("score.txt", "w").write("half")
    live("metrics.json")
    assert ask(0)["is_taken"]
if os.environ.get("HOW"):
    sys.exit(3)
open("score.txt", "w").write(open("model.bin").read())
"""
PIPELINE = """\
stages:
  train:
    cmd: python3 train.py
    params: [lr]
    outs: [model.bin{stays}]
    metrics:
    - metrics.json: {{cache: false}}
  judge:
    cmd: python3 judge.py
    deps: [{needs}]
    outs: [score.txt]
"""
MADE = "step 0 lr 1\nstep 1 lr 1\nend\n"


def two_stages(tmp_path: Path, *, stays: str = "", needs: str = "model.bin") -> TestProject:
    pipeline = PIPELINE.format(stays=stays, needs=needs)
    files = {"train.py": ASK + TRAIN, "judge.py": ASK + JUDGE, "params.yaml": "lr: 1\n", "dvc.yaml": pipeline}
    project = make_project(tmp_path / "p", files)
    project.env["RUNS"] = str(tmp_path / "runs")
    return project


def runs(project: TestProject) -> list[str]:
    return Path(project.env["RUNS"]).read_text().splitlines()


def check_ended(project: TestProject, *numbers: int) -> None:
    commits = chain(project, "x")
    assert [(mark(project, each) or {}).get("number") for each in commits] == [*numbers, None]
    assert output_at(project, commits[-1]) == output_at(project, commits[-1], "score.txt") == MADE.encode()
    assert json.loads(project.file_at(commits[-1], "metrics.json")) == {"acc": 9}
    assert "# checkpoint" not in project.file_at(commits[-1], "dvc.lock")
    assert [project.file_at(each, "notes/train.txt") for each in commits] == ["kept"] * len(commits)


@pytest.mark.parametrize(("where", "stays"), [((), ""), (("--temp",), ": {checkpoint: true}")])
def test_one_that_has_ended_is_not_run_again(tmp_path: Path, where: tuple[str, ...], stays: str) -> None:
    project = two_stages(tmp_path, stays=stays)
    assert project.ob("exp", "run", "-n", "x", EVERY, *where, HOW="steps").code == 1
    _, _, end, judged = chain(project, "x")
    same = {"version": 1, "keep": "all", "ended": ["train"], "run": {}}
    assert mark(project, end) == {**same, "number": 3, "step": None, "stage": "train", "live": ["notes"]}
    assert output_at(project, end) == MADE.encode()
    assert mark(project, judged) == {
        **same,
        "number": 4,
        "step": 0,
        "stage": "judge",
        "live": ["metrics.json", "notes"],
    }
    assert project.ob("exp", "run", "--resume", "x", *where, HOW="at once").code == 1
    done = project.ob("exp", "run", "--resume", "x", *where)
    assert done.code == 0, done.err
    assert runs(project) == ["train None", "judge None", "judge 1", "judge 1"]
    check_ended(project, 1, 2, 3, 4)


def test_a_task_that_is_taken_up_again(tmp_path: Path) -> None:
    project = two_stages(tmp_path)
    assert project.ob("exp", "run", "--queue", "-n", "x", EVERY).code == 0
    assert project.ob("exp", "run", "--run-all", HOW="at once").code == 1
    assert project.ob("queue", "retry", "x").code == 0
    done = project.ob("exp", "run", "--run-all")
    assert done.code == 0, done.err
    assert runs(project) == ["train None", "judge None", "judge None"]
    check_ended(project, 1, 2, 3)


def test_one_that_has_ended_goes_on_where_its_parameters_change(tmp_path: Path) -> None:
    project = two_stages(tmp_path)
    assert project.ob("exp", "run", "-n", "x", EVERY, HOW="at once").code == 1
    done = project.ob("exp", "run", "--resume", "x", "-S", "lr=2", "-n", "y")
    assert done.code == 0, done.err
    assert "'y' goes on from checkpoint 3 (the end of 'train') of 'x': -S changes its parameters" in done.err
    assert runs(project)[2:] == ["train 1", "judge None"]
    assert project.read("score.txt") == MADE + MADE.replace("lr 1", "lr 2")


def test_one_whose_successor_cannot_begin(tmp_path: Path) -> None:
    project = two_stages(tmp_path, needs="model.bin, other.txt")
    done = project.ob("exp", "run", "-n", "x", EVERY)
    assert (done.code, "other.txt" in done.err) == (1, True)
    project.write("other.txt", "1")
    done = project.ob("exp", "run", "--resume", "x")
    assert done.code == 0, done.err
    assert runs(project) == ["train None", "judge None"]
    check_ended(project, 1, 2, 3)


def test_one_that_has_ended_while_another_runs(tmp_path: Path) -> None:
    project = two_stages(tmp_path, needs="judge.py")
    code = """
while state()["made"] < 3 and not os.environ.get("DVCLIVE_RESUME") and os.environ.get("HOW"):
    time.sleep(0.01)
if os.environ.get("HOW"):
    os.killpg(0, 9)
open("score.txt", "w").write("ended")
"""
    project.write("judge.py", ASK + code)
    project.commit("side by side")
    command = [sys.executable, "-m", "offbranch", "exp", "run", "-n", "x", EVERY, "--stage-jobs", "2"]
    env = {**os.environ, **project.env, "PYTHONPATH": str(SOURCE), "HOW": "kill"}
    killed = subprocess.run(
        command, cwd=project.root, env=env, start_new_session=True, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    done = project.ob("exp", "run", "--resume", "x")
    assert done.code == 0, done.err
    assert "goes on with 'x' from checkpoint 3 (the end of 'train')" in done.err
    assert runs(project) == ["train None"]
    assert project.read("model.bin") == MADE
