"""A run that goes on does what the run before was asked for, unless it is told otherwise."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import PIPELINE, chain, mark, training
from checkpoint_chains import FILES, make_chain
from offbranch.base.paths import RepoPath
from offbranch.base.records import fields_of
from offbranch.experiments.asked import Asked, asked_from_json, asked_to_json
from offbranch.experiments.checkpoint_policy import CheckpointMode
from offbranch.pipeline.options import SelectOptions
from projects import SOURCE, TestProject, make_project

SCRIPT = """
began = len(open("model.bin").read().splitlines()) if os.environ.get("DVCLIVE_RESUME") else 0
for step in range(began, 3):
    open("model.bin", "a").write(f"step {step}\\n")
    metrics(acc=step)
    assert ask(step)["is_taken"]
    if os.environ.get("STOP_AT") == str(step):
        while state()["made"] <= step - began:
            time.sleep(0.01)
        while os.environ.get("STAY"):
            open(os.environ["STAY"], "w").close()
            time.sleep(0.1)
        sys.exit(3)
"""
WITH_ANOTHER = f"""{PIPELINE}  other:
    cmd: exit 1
    outs: [other.txt]
"""
FIRST = ("exp", "run", "-n", "x", "-m", "as I say", "--checkpoint", "--keep-checkpoints", "all", "train")
RUN = {"targets": ["train"], "mode": "every"}


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return training(tmp_path / "p", SCRIPT, {"dvc.yaml": WITH_ANOTHER, "sub/notes.txt": "1\n"})


@given(
    targets=st.lists(st.text(max_size=3), max_size=2),
    cwd=st.sampled_from(["", "sub", "a/b"]),
    flags=st.lists(st.booleans(), min_size=6, max_size=6),
    mode=st.sampled_from(CheckpointMode),
    copies=st.lists(st.sampled_from(["data", "a/b c"]), max_size=2),
)
def test_what_was_asked_for_is_read_as_written(
    targets: list[str], cwd: str, flags: list[bool], mode: CheckpointMode, copies: list[str]
) -> None:
    names = [name for name in fields_of(SelectOptions) if name != "cwd"]
    select = SelectOptions(cwd=RepoPath(cwd), **dict(zip(names, flags, strict=True)))
    paths = tuple(map(RepoPath, copies))
    asked = Asked(targets=tuple(targets), select=select, mode=mode, copy_paths=paths)
    assert asked_from_json(asked_to_json(asked)) == asked


@pytest.mark.parametrize("where", [(), ("--temp",), ("--queue",)])
def test_the_same_stages_message_and_checkpoints(project: TestProject, where: tuple[str, ...]) -> None:
    assert project.ob(*FIRST, STOP_AT="1").code == 1
    done = project.ob("exp", "run", "--resume", "x", *where, cwd="sub")
    assert done.code == 0, done.err
    if where == ("--queue",):
        done = project.ob("exp", "run", "--run-all")
        assert done.code == 0, done.err
    commits = chain(project, "x")
    marks = [mark(project, each) for each in commits]
    assert [(each or {}).get("run") for each in marks] == [RUN] * 3 + [None]
    assert {(each or {}).get("keep") for each in marks[:3]} == {"all"}
    assert {project.git("log", "-1", "--format=%B", each) for each in commits} == {"as I say"}


def test_unless_it_is_told_otherwise(project: TestProject) -> None:
    assert project.ob(*FIRST, STOP_AT="1").code == 1
    words = ("-m", "now", "--keep-checkpoints", "last=1", "-s", "train")
    done = project.ob("exp", "run", "--resume", "x", "--dry", "other")
    assert (done.code, "train" in done.out) == (0, False)
    done = project.ob("exp", "run", "--resume", "x", *words)
    assert done.code == 0, done.err
    last = chain(project, "x")[-2:]
    assert {project.git("log", "-1", "--format=%B", each) for each in last} == {"now"}
    found = mark(project, last[0]) or {}
    assert (found["keep"], found["run"]) == ("last=1", {**RUN, "single_item": True})


def test_what_it_would_do_is_what_it_does(project: TestProject) -> None:
    assert project.ob(*FIRST, STOP_AT="1").code == 1
    for more in ((), ("-f",)):
        done = project.ob("exp", "run", "--resume", "x", "--dry", *more)
        assert (done.code, "because it goes on from checkpoint 2" in done.out) == (0, True), done.out
    done = project.ob("exp", "run", "--resume", "x", "-S", "lr=1,2")
    assert done.code == 2
    assert "hint: ob exp run --queue --resume x -S lr=1,2 && ob queue start" in done.err


def test_why_there_is_none_to_go_on_with(project: TestProject, tmp_path: Path) -> None:
    assert project.ob("exp", "run", "--queue", "-n", "q", "train").code == 0
    assert project.ob("exp", "run", "--run-all", STOP_AT="1").code == 1
    done = project.ob("exp", "run", "--resume")
    assert done.code == 1
    assert "'q', which has not come to its end, is a task of the queue" in done.err
    assert "ob queue retry q" in done.err
    stay = tmp_path / "stay"
    command = [sys.executable, "-m", "offbranch", "exp", "run", "-n", "w", "--temp", "train"]
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "STOP_AT": "1", "STAY": str(stay)}
    with subprocess.Popen(
        command, cwd=project.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        while not stay.exists():
            time.sleep(0.02)
        done = project.ob("exp", "run", "--resume")
        running.terminate()
        running.communicate()
    assert (done.code, "'w' is running" in done.err) == (1, True), done.err


def test_one_that_was_renamed_leaves_nothing_behind(project: TestProject) -> None:
    assert project.ob(*FIRST, STOP_AT="1").code == 1
    assert project.ob("exp", "rename", "x", "z").code == 0
    done = project.ob("exp", "run", "--resume", "z")
    assert done.code == 0, done.err
    assert project.git("for-each-ref", "refs/ob") == ""


def test_a_head_that_has_moved_is_told_of(project: TestProject) -> None:
    assert project.ob(*FIRST, STOP_AT="1").code == 1
    before = project.git("rev-parse", "--short=7", "HEAD")
    project.write("train.py", "raise SystemExit(9)\n")
    after = project.commit("other code")[:7]
    done = project.ob("exp", "run", "--resume", "x", "--temp")
    assert done.code == 0, done.err
    assert f"HEAD has moved to {after}; it goes on with the files of the checkpoint, from {before}" in done.err


def test_what_stays_between_runs_is_as_it_was_after_a_failure(tmp_path: Path) -> None:
    pipeline = WITH_ANOTHER.replace("outs: [model.bin]", "outs: [model.bin: {persist: true}]")
    project = training(tmp_path / "p", SCRIPT, {"dvc.yaml": pipeline})
    project.write("model.bin", "mine\n")
    assert project.ob(*FIRST, "--reset", STOP_AT="0").code == 1
    assert project.read("model.bin") == "mine\n"
    assert project.ob("exp", "run", "--resume", "x", STOP_AT="1").code == 1
    assert project.read("model.bin") == "mine\n"
    done = project.ob("exp", "run", "--resume", "x")
    assert done.code == 0, done.err
    assert project.read("model.bin") == "step 0\nstep 1\nstep 2\n"


def test_an_older_commit_of_dvc_2_is_not_called_the_end(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", FILES)
    make_chain(project, "old", [0.1, 0.2, 0.3], says_numbers=False)
    done = project.ob("exp", "run", "--resume", "old@2", "--temp", "--dry")
    assert (done.code, "goes on from checkpoint 2 of 'old'" in done.err) == (0, True), done.err


def test_parameters_that_are_as_the_run_before_had_found_them(project: TestProject) -> None:
    project.write("params.yaml", "lr: 9\n")
    assert project.ob(*FIRST, "-S", "lr=4", STOP_AT="0").code == 1
    assert project.ob("exp", "run", "--resume", "x", STOP_AT="1").code == 1
    assert project.read("params.yaml") == "lr: 9\n"
    done = project.ob("exp", "run", "--resume", "x")
    assert done.code == 0, done.err
    assert "goes on with 'x' from checkpoint 2" in done.err
    assert project.read("params.yaml") == "lr: 4\n"


@pytest.mark.parametrize("where", ["--temp", "--queue"])
def test_what_its_copy_had_of_the_workspace(project: TestProject, where: str) -> None:
    project.write("train.py", project.read("train.py") + 'open("raw/data.txt").close()\n')
    project.write(".gitignore", "/raw\n/model.bin\n")
    project.commit("reads what Git ignores")
    project.write("raw/data.txt", "data\n")
    assert project.ob(*FIRST, "--temp", "-C", "raw", STOP_AT="1").code == 1
    assert (mark(project, chain(project, "x")[0]) or {})["run"] == {**RUN, "copy_paths": ["raw"]}
    done = project.ob("exp", "run", "--resume", "x", where, cwd="sub")
    assert done.code == 0, done.err
    if where == "--queue":
        done = project.ob("exp", "run", "--run-all")
        assert done.code == 0, done.err
    assert len(chain(project, "x")) == 4


def test_what_has_no_attempt_here_and_what_a_branch_is_at(project: TestProject) -> None:
    assert project.ob(*FIRST, STOP_AT="1").code == 1
    ref = project.git("for-each-ref", "--format=%(refname)", "refs/ob/attempts")
    project.git("update-ref", "-d", ref)  # as in a clone that has pulled it
    project.git("branch", "mine", project.exps()["x"])
    for words in (("--resume",), ("--resume", "mine")):
        done = project.ob("exp", "run", *words, "--dry")
        assert (done.code, "goes on with 'x' from checkpoint 2" in done.err) == (0, True), done.err
    done = project.ob("exp", "run", "--resume", "HEAD")
    assert (done.code, "'HEAD' is no checkpoint of an experiment" in done.err) == (1, True), done.err
    done = project.ob("exp", "run", "--resume", "x@lst")
    assert (done.code, "'x@lst' does not exist: a number comes after '@'" in done.err) == (1, True), done.err


def test_what_the_queue_has_finished_is_not_gone_on_with_again(project: TestProject) -> None:
    assert project.ob(*FIRST, STOP_AT="1").code == 1
    before = project.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/ob/attempts").split()
    assert project.ob("exp", "run", "--resume", "x", "--queue").code == 0
    assert project.ob("exp", "run", "--run-all").code == 0
    assert project.git("for-each-ref", "refs/ob") == ""
    project.git("update-ref", *before)  # as another machine has left it
    done = project.ob("exp", "run", "--resume")
    assert (done.code, "every run with checkpoints has come to its end" in done.err) == (1, True), done.err


@pytest.mark.parametrize("where", [(), ("--temp",)])
def test_a_new_experiment_that_came_to_no_checkpoint_is_the_same_when_it_goes_on(
    project: TestProject, where: tuple[str, ...]
) -> None:
    project.write("train.py", project.read("train.py") + 'assert not os.environ.get("BAD")\n')
    project.commit("may end badly")
    assert project.ob(*FIRST, "--temp", STOP_AT="2").code == 1
    if not where:
        project.write("train.py", project.read("train.py") + "# other code\n")
    assert project.ob("exp", "run", "--resume", "x", "-n", "y", "-S", "lr=7", *where, BAD="1").code == 1
    assert list(project.exps()) == ["x"]
    done = project.ob("exp", "run", "--resume", "y", *where)
    assert done.code == 0, done.err
    assert "goes on with 'y' from checkpoint 3" in done.err
    assert project.file_at(project.exps()["y"], "params.yaml") == "lr: 7"
    assert ("# other code" in project.file_at(project.exps()["y"], "train.py")) == (not where)
    assert project.git("for-each-ref", "refs/ob").count("\n") == 0  # that of x alone
