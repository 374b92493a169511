"""`ob`, Git or the command killed while checkpoints are made, and a full disk: chains are whole, the user's work stays."""

import json
import os
import resource
from pathlib import Path

import pytest

from asking import THREE, chain, mark, output_at, training
from killing import EVERY, KILLED, check_git, copy_of, kept, open_killer, wrong_objects
from projects import TestProject

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

OWN = ("train.py", "dvc.yaml", "notes.txt", "staged.txt")
PATIENT = THREE.replace('assert ask(step)["is_taken"]', "ask(step) or sys.exit(9)")
GIT = """\
#!/bin/sh
# Counts what Git writes; the one whose turn it is is killed, before or after it has done its work.
case " $* " in *" update-ref "*|*" commit-tree "*|*" hash-object "*|*" write-tree "*|*" update-index "*|*" read-tree "*)
  [ -n "$DVC_STAGE" ] && exec {git} "$@"
  n=$(cat {counter}); n=$((n + 1)); echo $n > {counter}
  if [ $n = {wanted} ]; then
    [ {mode} = after ] && {git} "$@"
    kill -9 $$
  fi ;;
esac
exec {git} "$@"
"""


def prepared(root: Path, script: str = PATIENT) -> TestProject:
    project = training(root, script, {"notes.txt": "notes\n"})
    project.write("staged.txt", "staged\n")
    project.git("add", "staged.txt")
    project.write("notes.txt", "notes, edited\n")
    return project


def check_chain(project: TestProject) -> int:
    """Checks that each commit of the experiment is whole, with the data of its step; returns how many checkpoints there are."""
    check_git(project)
    assert wrong_objects(project) == []
    if "x" not in project.exps():
        return 0
    commits = chain(project, "x")
    marks = [mark(project, each) for each in commits]
    n = sum(each is not None for each in marks)
    for number, (commit, said) in enumerate(zip(commits, marks, strict=True), start=1):
        if said is None:
            assert number == len(commits)
            continue
        assert said["number"] == number
        assert output_at(project, commit) == f"model {number - 1}".encode()
        assert json.loads(project.file_at(commit, "metrics.json")) == {"acc": (number - 1) / 10}
    return n


def test_ob_killed_anywhere(tmp_path: Path) -> None:
    base = prepared(tmp_path / "base")
    words = ("exp", "run", "-n", "x", "--keep-checkpoints", "all")
    with open_killer(tmp_path) as killer:
        labels = killer.writes(copy_of(base, tmp_path / "whole").root, words)
        seen = set()
        for n in range(1, len(labels) + 1, EVERY):
            project = copy_of(base, tmp_path / str(n))
            mine = kept(project, OWN)
            code, output = killer.run(project.root, words, n=n)
            assert code in (KILLED, 0), output  # threads: not always the same number of writes
            assert kept(project, OWN) == mine
            seen.add(check_chain(project))
            again = project.ob("exp", "run", "-f", "-n", "x", "--keep-checkpoints", "all")
            assert again.code == 0, (n, labels[n - 1], again.err)
            assert check_chain(project) == 3
            assert kept(project, OWN) == mine
            assert list(project.root.rglob(".dvc/tmp/ob/handoff/*")) == []
            assert list(project.root.rglob(".dvc/cache/files/**/.ob-tmp-*")) == []
        assert len(seen) > 1


@pytest.mark.parametrize("mode", ["before", "after"])
def test_git_killed_at_each_of_its_writes(tmp_path: Path, mode: str) -> None:
    base = prepared(tmp_path / "base")
    git = next(p for p in (f"{each}/git" for each in os.environ["PATH"].split(":")) if os.access(p, os.X_OK))
    for n in range(1, 40, 5):
        project = copy_of(base, tmp_path / str(n))
        mine = kept(project, OWN)
        bin_dir = tmp_path / f"bin{n}"
        bin_dir.mkdir()
        (bin_dir / "counter").write_text("0")
        (bin_dir / "git").write_text(GIT.format(git=git, counter=bin_dir / "counter", wanted=n, mode=mode))
        (bin_dir / "git").chmod(0o755)
        done = project.ob("exp", "run", "-n", "x", "--keep-checkpoints", "all", PATH=f"{bin_dir}:{os.environ['PATH']}")
        assert "Traceback" not in done.err and "mistake of ob" not in done.err, done.err
        assert kept(project, OWN) == mine
        check_git(project)
        if "x" in project.exps():
            commits = chain(project, "x")
            numbers = [said["number"] for each in commits if (said := mark(project, each)) is not None]
            assert numbers == list(range(1, len(numbers) + 1))
            assert all(output_at(project, each) is not None for each in commits)
        assert project.ob("exp", "run", "-f", "-n", "x").code == 0


def test_what_was_held_when_ob_was_killed_in_a_copy_goes_with_the_next_run(tmp_path: Path) -> None:
    script = """
import pathlib, signal
with open("model.bin", "w+b") as model:  # open for writing: it is copied
    model.write(b"m" * 2_000_000)
    model.flush()
    metrics(acc=1)
    assert ask(1)["is_taken"]
(record,) = pathlib.Path(os.environ["DVC_ROOT"]).glob(".dvc/tmp/ob/runs/*/attempt.json")
os.kill(json.loads(record.read_text())["process"]["pid"], signal.SIGKILL)
"""
    project = training(tmp_path / "p", script)
    assert project.ob("exp", "run", "--temp", "-n", "x").code == KILLED
    project.write("train.py", "open('model.bin', 'w'); open('metrics.json', 'w').write('{}')")
    assert project.ob("exp", "run", "-n", "y").code == 0
    assert list(project.root.rglob(".dvc/cache/files/**/.ob-tmp-*")) == []
    assert list(project.root.rglob(".dvc/tmp/ob/handoff/*")) == []
    check_git(project)


def test_the_command_killed_after_its_second(tmp_path: Path) -> None:
    project = prepared(tmp_path / "p", PATIENT + "    if step == 1: os.kill(os.getpid(), 9)\n")
    mine = kept(project, OWN)
    assert project.ob("exp", "run", "-n", "x", "--keep-checkpoints", "all").code == 1
    assert check_chain(project) == 2
    assert kept(project, OWN) == mine


def test_a_full_disk_is_one_warning_and_the_run_goes_on(tmp_path: Path) -> None:
    script = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
for step in range(3):
    open("model.bin", "wb").write(b"m" * 200_000)
    metrics(acc=step)
    ask(step)
open("model.bin", "w").write("small")
ask(9)
"""
    project = training(tmp_path / "p", script)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        done = project.ob("exp", "run", "-n", "x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.code == 0, done.err
    assert done.err.count("a checkpoint could not be made: cannot write to the cache") == 1, done.err
    assert [(mark(project, each) or {}).get("step") for each in chain(project, "x")] == [9, None]
    check_git(project)


def test_a_queued_task_whose_worker_is_killed_goes_on_once(tmp_path: Path) -> None:
    script = """
import pathlib, signal
tried = os.path.join(os.environ["DVC_ROOT"], "tried")
first = not os.path.exists(tried)
open(tried, "w").close()
assert bool(os.environ.get("DVCLIVE_RESUME")) is not first
for step in range(0 if first else 2, 3):
    open("model.bin", "w").write(f"model {step}")
    metrics(acc=step / 10)
    ask(step) or sys.exit(9)
    if first and step == 1:
        while state()["made"] < 2: time.sleep(0.01)
        (record,) = pathlib.Path(os.environ["DVC_ROOT"]).glob(".dvc/tmp/ob/runs/*/attempt.json")
        os.kill(json.loads(record.read_text())["process"]["pid"], signal.SIGKILL)
        time.sleep(60)
"""
    project = training(tmp_path / "p", script)
    assert project.ob("exp", "run", "--queue", "-n", "x", "--keep-checkpoints", "all").code == 0
    done = project.ob("exp", "run", "--run-all")
    assert done.code == 0, done.out + done.err
    assert check_chain(project) == 3
    assert project.git("for-each-ref", "refs/ob/tasks", "refs/ob/leases") == ""
