"""Whose data goes: bounded room while a run goes on, and nothing that anything else needs."""

from pathlib import Path

import pytest

from asking import THREE, chain, mark, output_at, training
from projects import TestProject

MANY = """
for step in range(24):
    open("model.bin", "wb").write(step.to_bytes(2, "big") * 50_000)
    metrics(loss=abs(step - 9))
    assert ask(step, "every")["is_taken"]
    most = max(globals().get("most", 0), len(models()))
    AFTER
open("most", "w").write(str(most))
"""
MODELS = """
import pathlib
def size(path):
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # it has just got its name, or is gone
        return 0
def models():
    root = pathlib.Path(os.environ["DVC_ROOT"], ".dvc/cache/files/md5")
    return [each for each in root.rglob("*") if size(each) == 100_000]
"""


def kept(project: TestProject, name: str = "x") -> list[int]:
    """Numbers of the checkpoints whose model is still there."""
    commits = [each for each in chain(project, name) if mark(project, each)]
    return [n for n, each in enumerate(commits, start=1) if output_at(project, each) is not None]


@pytest.mark.parametrize("where", [(), ("--temp",)])
def test_a_long_run_takes_no_more_room_than_is_kept(tmp_path: Path, where: tuple[str, ...]) -> None:
    project = training(tmp_path / "p", MODELS + MANY.replace("AFTER", "pass"))
    done = project.ob("exp", "run", "-n", "x", *where)
    assert done.code == 0, done.err
    assert kept(project) == [10, 22, 23, 24]
    if not where:
        assert int(project.read("most")) <= 6
    assert project.ob("gc", "-w", "--all-experiments", "-f").code == 0
    assert kept(project) == [10, 22, 23, 24]
    assert output_at(project, chain(project, "x")[-1]) is not None


def test_the_policy_of_the_user(tmp_path: Path) -> None:
    project = training(tmp_path / "p", MODELS + MANY.replace("AFTER", "pass").replace("24)", "10)"))
    assert project.ob("exp", "run", "-n", "x", "--keep-checkpoints", "last=1,every=4").code == 0
    assert kept(project) == [4, 8, 10]
    refused = project.ob("exp", "run", "-n", "y", "--keep-checkpoints", "newest")
    assert refused.code == 2 and "which checkpoints to keep" in refused.err


OTHER_USES = {
    "a branch": 'git("branch", "kept", git("rev-parse", ref()))',
    "another experiment": 'git("update-ref", ref() + "-too", git("rev-parse", ref()))',
    "the workspace": 'git("checkout", git("rev-parse", ref()), "--", "dvc.lock")',
}
WITH_OTHERS = """
import subprocess
def git(*args):
    return subprocess.run(["git", *args], capture_output=True, text=True, check=True, cwd=os.environ["DVC_ROOT"]).stdout.strip()
def ref():
    return git("for-each-ref", "--format=%(refname)", "refs/exps/*/*/x")
"""


@pytest.mark.parametrize("use", list(OTHER_USES))
def test_what_something_else_names_stays(tmp_path: Path, use: str) -> None:
    after = f"if step == 1:\n        while state()['made'] < 2: time.sleep(0.01)\n        {OTHER_USES[use]}"
    script = MODELS + WITH_OTHERS + MANY.replace("AFTER", after).replace("24)", "9)").replace("loss=", "size=")
    project = training(tmp_path / "p", script)
    done = project.ob("exp", "run", "-n", "x", "--temp", "--keep-checkpoints", "last=2")
    assert done.code == 0, done.err
    assert kept(project) == [2, 8, 9]


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    project = training(tmp_path / "p", MODELS + MANY.replace("AFTER", "pass").replace("24)", "8)"))
    assert project.ob("exp", "run", "-n", "x", "--keep-checkpoints", "all").code == 0
    assert project.ob("exp", "run", "-f", "-n", "y", "--keep-checkpoints", "last=1").code == 0
    assert kept(project) == list(range(1, 9))


def test_directories_share_what_has_not_changed(tmp_path: Path) -> None:
    script = """
os.makedirs("model.bin")
open("model.bin/same", "wb").write(b"s" * 1000)
for step in range(8):
    open("model.bin/weights", "w").write(f"{step}")
    metrics(acc=step)
    assert ask(step, "every")["is_taken"]
"""
    project = training(tmp_path / "p", script)
    assert project.ob("exp", "run", "-n", "x", "--keep-checkpoints", "last=2").code == 0
    assert kept(project) == [7, 8]
    files = [each for each in (project.root / ".dvc/cache/files/md5").rglob("*") if each.is_file()]
    contents = {each.read_bytes() for each in files}
    assert b"s" * 1000 in contents and b"3" not in contents and {b"6", b"7"} <= contents
    assert project.ob("exp", "apply", "x@7").code == 0
    assert project.read("model.bin/weights") == "6"


def test_push_leaves_out_what_is_not_kept(tmp_path: Path) -> None:
    project = training(tmp_path / "p", THREE.replace("range(3)", "range(6)"))
    bare = tmp_path / "bare"
    project.git("init", "-q", "--bare", str(bare))
    project.git("remote", "add", "origin", str(bare))
    project.git("push", "-q", "origin", "main")
    project.write(".dvc/config.local", f"[core]\n    remote = r\n['remote \"r\"']\n    url = {tmp_path / 'data'}\n")
    assert project.ob("exp", "run", "-n", "x", "--keep-checkpoints", "last=2").code == 0
    done = project.ob("exp", "push", "origin", "x")
    assert done.code == 0, done.out + done.err
    there = {each.read_bytes() for each in (tmp_path / "data").rglob("*") if each.is_file()}
    assert {b"model 4", b"model 5", b"model 5 and on"} <= there and b"model 1" not in there


def test_a_cache_that_others_may_use_is_left_to_gc(tmp_path: Path) -> None:
    project = training(
        tmp_path / "p", THREE.replace("range(3)", "range(6)"), config=f"[cache]\n    dir = {tmp_path / 'shared'}\n"
    )
    assert project.ob("exp", "run", "-n", "x", "--keep-checkpoints", "last=1").code == 0
    models = {each.read_bytes() for each in (tmp_path / "shared").rglob("*") if each.is_file()}
    assert {f"model {step}".encode() for step in range(6)} <= models
