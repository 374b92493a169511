"""Both tools at the same time in one project: each waits for, refuses or runs beside the other as two DVCs would."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from interop.peers import PeerProject, make_peer_project
from projects import SOURCE

pytestmark = pytest.mark.interop
# A stage that says when it runs, and goes on when it is told.
WAITING = {
    "in.txt": "in\n",
    "dvc.yaml": "stages:\n"
    "  slow:\n"
    "    cmd: echo running > $BEGUN && read line < $GOING && echo $line > out.txt\n"
    "    deps: [in.txt]\n"
    "    outs: [out.txt]\n",
}


@contextmanager
def running(project: PeerProject, command: list[str]) -> Iterator[None]:
    """Starts a command whose stage waits; lets it finish at the end and checks that it did well."""
    begun, going = project.root / "RUNS", project.root / ".git/going"
    for pipe in (begun, going):
        os.mkfifo(pipe)
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "BEGUN": str(begun), "GOING": str(going)}
    process = subprocess.Popen(
        command, cwd=project.root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert begun.read_text() == "running\n"
        yield
    finally:
        going.write_text("done\n")
        out, _ = process.communicate(timeout=60)
        begun.unlink()
    assert process.returncode == 0, out.decode()
    assert project.read("out.txt") == "done\n"


def test_dvc_beside_a_stage_that_ob_runs(dvc: str, tmp_path: Path, ob_command: list[str]) -> None:
    project = make_peer_project(tmp_path / "p", dvc, WAITING)
    project.write("free.txt", "free\n")
    with running(project, [*ob_command, "repro"]):
        locked = json.loads(project.read(".dvc/tmp/rwlock"))
        assert list(locked["write"]) == [str(project.root / "out.txt")]
        assert set(locked["read"]) == {str(project.root / "in.txt"), str(project.root / "out.txt")}
        project.dvc("add", "free.txt")
        for words in (["status"], ["repro"]):
            refused = project.dvc(*words, code=None)
            assert refused.code != 0 and "out.txt' is busy" in refused.err
    assert "out.txt" not in project.read(".dvc/tmp/rwlock")
    assert project.dvc("status", "--json").json == {}


def test_ob_beside_a_stage_that_dvc_runs(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, WAITING)
    project.write("free.txt", "free\n")
    with running(project, [dvc, "repro"]):
        project.did("status", "--json")
        project.did("add", "free.txt")
        busy = project.ob("repro", OFFBRANCH_LOCK_WAIT="0")
        assert busy.code == 11, busy.err
        assert "out.txt" in busy.err
    assert project.did("status", "--json").json == {}


def test_a_held_lock_of_dvc_is_honoured(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, {"dvc.yaml": "stages: {s: {cmd: 'true'}}\n"})
    project.write("free.txt", "free\n")
    with open(project.write(".dvc/tmp/lock", ""), "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["add", "free.txt"], ["repro"], ["exp", "run"]):
            refused = project.ob(*words, OFFBRANCH_LOCK_WAIT="0")
            assert refused.code == 11, (words, refused.err)
        assert project.ob("status").code == 0
        assert not project.exists("free.txt.dvc")
    project.did("add", "free.txt")


def test_each_can_be_called_by_a_stage_of_the_other(dvc: str, tmp_path: Path, ob_command: list[str]) -> None:
    ob = " ".join(ob_command)
    inner = (
        "stages:\n  call:\n    outs: [out.txt]\n    cmd:\n"
        "    - {tool} stage list --all --name-only > said.txt\n    - {tool} add -q more.txt\n    - cat more.txt > out.txt\n"
    )
    for name, tool in (("ob", dvc), ("dvc", f"env PYTHONPATH={SOURCE} {ob}")):
        project = make_peer_project(tmp_path / name, dvc, {"dvc.yaml": inner.format(tool=tool)})
        project.write("more.txt", "more\n")
        project.did("repro") if name == "ob" else project.dvc("repro")
        assert project.read("said.txt") == "call\n"
        assert project.exists("more.txt.dvc")
        assert project.read("out.txt") == "more\n"
        assert project.did("status", "--json").json == project.dvc("status", "--json").json == {}
