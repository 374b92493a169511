"""A training that is killed with all its processes, again and again: it ends as one that was never killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from asking import chain, output_at, training
from killing import EVERY, KILLED, check_git, copy_of, kept, open_killer, wrong_objects
from projects import SOURCE, TestProject, make_project
from queue_processes import await_that

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

LOOP = """\
import hashlib, os, time
from offbranch import Live

with Live("dvclive") as live:
    model = open("model.bin").read() if live.step else ""
    for step in range(live.step, 24):
        with open(os.environ["RUNS"] + ".steps", "a") as file:
            file.write(f"{step} ")
        while step == 23 and not os.path.exists(os.environ["RUNS"] + ".free"):
            time.sleep(0.01)
        model += hashlib.sha256(f"{step} {model}".encode()).hexdigest()[:8] + chr(10)
        with open("model.bin", "w") as file:
            file.write(model)
        live.log_metric("acc", len(model) / 1000)
        live.log_metric("train/loss", int(model.split()[-1], 16) / 2**32)
        time.sleep(0.01)
        live.next_step()
"""
PIPELINE = """\
stages:
  prepare:
    cmd: echo data > data.txt; echo prepared >> $RUNS
    outs: [data.txt]
  train:
    cmd: python3 train.py
    deps: [data.txt, train.py]
    outs: [model.bin]
"""
FILES = {"train.py": LOOP, "dvc.yaml": PIPELINE, "notes.txt": "notes\n"}


def results(project: TestProject, commit: str) -> dict[str, str]:
    names = ("dvclive/metrics.json", "dvclive/plots/metrics/acc.tsv", "dvclive/plots/metrics/train/loss.tsv")
    found = {name: project.file_at(commit, name) for name in names}
    lock = project.file_at(commit, "dvc.lock")
    return {**found, "lock": lock}


def kill_after(project: TestProject, words: list[str], n_steps: int, pause_s: float, env: dict[str, str]) -> None:
    """Runs `ob`, and kills it with everything that it has started, some time after so many more steps have begun."""
    command = [sys.executable, "-m", "offbranch", *words]
    steps = Path(f"{env['RUNS']}.steps")
    steps.touch()
    n_before = len(steps.read_text().split())
    with subprocess.Popen(
        command, cwd=project.root, env=env, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        await_that(lambda: n_before + n_steps <= len(steps.read_text().split()) or steps.read_text().endswith(" 23 "))
        time.sleep(pause_s)
        for pid in (process.pid, *_below(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert process.wait() == KILLED


def _below(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found += [int(path.parent.name), *_below(int(path.parent.name))]
    return found


@pytest.mark.parametrize("where", [(), ("--temp",)])
def test_it_ends_as_if_it_had_never_been_killed(tmp_path: Path, where: tuple[str, ...]) -> None:
    rng = random.Random(len(where))
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "RUNS": str(tmp_path / "runs")}
    whole = make_project(tmp_path / "whole", FILES)
    (tmp_path / "other.free").touch()
    done = whole.ob("exp", "run", "-n", "x", *where, RUNS=str(tmp_path / "other"))
    assert done.code == 0, done.err
    expected = results(whole, chain(whole, "x")[-1])
    project = make_project(tmp_path / "p", FILES)
    project.write("notes.txt", "notes, edited\n")
    words = ["exp", "run", "-n", "x", "--checkpoint", *where]
    for _ in range(6):
        kill_after(project, words, rng.randrange(7), rng.uniform(0, 0.15), env)
        if "x" in project.exps():
            words = ["exp", "run", "--resume", "x", "--checkpoint", *where]
    (tmp_path / "runs.free").touch()
    done = project.ob(*words, RUNS=env["RUNS"])
    assert done.code == 0, done.err
    commits = chain(project, "x")
    assert results(project, commits[-1]) == expected
    assert json.loads(project.file_at(commits[-1], "dvclive/metrics.json"))["step"] == 23
    assert project.read("notes.txt") == "notes, edited\n"
    # One that was killed before its first checkpoint is a failed attempt like any other.
    left = project.git("for-each-ref", "--format=%(contents)", "refs/ob")
    assert left.count('"checkpoint": ') == left.count('"checkpoint": null')
    numbers = [project.git("cat-file", "commit", each).count("ob-checkpoint") for each in commits]
    assert numbers == [1] * (len(commits) - 1) + [0]


STEPS = """
lines = open("model.bin").read().splitlines() if os.environ.get("DVCLIVE_RESUME") else []
for step in range(len(lines), 4):
    lines.append(f"step {step}")
    open("model.bin", "w").write("".join(f"{line}\\n" for line in lines))
    metrics(acc=step / 10)
    ask(step) or sys.exit(9)
    if os.environ.get("STOP_AT") == str(step):
        sys.exit(3)
"""
OWN = ("train.py", "dvc.yaml", "params.yaml", "notes.txt")


def test_ob_killed_anywhere_while_it_goes_on(tmp_path: Path) -> None:
    base = training(tmp_path / "base", STEPS, {"notes.txt": "notes\n", "metrics.json": '{"acc": 9}\n'})
    base.write("notes.txt", "notes, edited\n")
    base.write("metrics.json", '{"acc": 8}\n')
    words = ("exp", "run", "--resume", "x", "--keep-checkpoints", "all")
    assert base.ob("exp", "run", "-n", "x", "-S", "lr=2", "--keep-checkpoints", "all", STOP_AT="1").code == 1
    before = chain(base, "x")
    assert len(before) == 2
    with open_killer(tmp_path) as killer:
        labels = killer.writes(copy_of(base, tmp_path / "whole").root, words)
        for n in range(1, len(labels) + 1, EVERY):
            project = copy_of(base, tmp_path / str(n))
            mine = kept(project, OWN)
            code, output = killer.run(project.root, words, n=n)
            assert code in (KILLED, 0), output
            check_git(project)
            assert wrong_objects(project) == []
            assert chain(project, "x")[:2] == before
            is_done = "checkpoint" not in project.file_at(chain(project, "x")[-1], "dvc.lock")
            if not is_done:
                project.ob("exp", "remove", "nothing")  # whoever comes next clears up
                assert kept(project, OWN) == mine, (n, labels[n - 1])
                # What the stage has made stays where that is recorded, as after any run that is killed so late.
                is_recorded = project.exists("dvc.lock") and "# checkpoint" not in project.read("dvc.lock")
                assert json.loads(project.read("metrics.json"))["acc"] in ((8, 0.3) if is_recorded else (8,)), n
                again = project.ob(*words)
                assert again.code == 0, (n, labels[n - 1], again.err)
            commits = chain(project, "x")
            assert commits[:2] == before
            assert output_at(project, commits[-1]) == b"step 0\nstep 1\nstep 2\nstep 3\n", (n, labels[n - 1])
            assert project.read("notes.txt") == "notes, edited\n"
