"""The queues of DVC and of `ob` beside each other: seen, taken over, run once; the words of `queue remove`."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interop.peers import PeerProject, make_peer_project, twins
from interop.pipelines import EXPERIMENTS
from peer_queue import exps, queued_of_dvc, stashed
from projects import SIMPLE
from queue_processes import parents

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]


def with_workers(project: PeerProject, dvc: str) -> PeerProject:
    """DVC's workers start `dvc` by its name."""
    project.env["PATH"] = f"{os.path.dirname(dvc)}{os.pathsep}{os.environ['PATH']}"
    return project


@pytest.fixture
def project(dvc: str, tmp_path: Path) -> PeerProject:
    return with_workers(make_peer_project(tmp_path / "p", dvc, EXPERIMENTS), dvc)


def rows(project: PeerProject, command: Callable[..., Any]) -> dict[str, str]:
    shown = command("exp", "show", "--json").json[1]["experiments"] or []
    return {each["name"]: each["executor"]["state"] for each in shown if each["executor"] is not None}


def start_worker(project: PeerProject) -> None:
    """Starts a worker of DVC; it has our output, so waiting for the end of that would be waiting for the worker's."""
    subprocess.run(
        [project.dvc_command, "queue", "start"],
        cwd=project.root,
        env={**os.environ, **project.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )


def await_that(what: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds / 0.1)):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def states_of_dvc(project: PeerProject) -> dict[str, str]:
    lines = project.dvc("queue", "status", code=None).out.splitlines()  # none where its worker moves what it reads
    table = [line.split() for line in lines[1:] if line and not line.startswith("Worker")]
    return {words[1]: words[-1] for words in table}


def test_what_dvc_has_queued_is_shown_taken_over_and_run(project: PeerProject) -> None:
    project.write("extra.txt", "mine\n")
    project.dvc("exp", "run", "--queue", "-n", "sw", "-S", "lr=0.2,0.3", "-S", "conf/more.json:seed=9")
    project.dvc("exp", "run", "--queue", "-n", "told", "-S", "lr=0.4", "-m", "why", "-C", "extra.txt", "-f")
    project.dvc("exp", "run", "--queue", "-n", "stays", "-S", "lr=0.5")
    theirs = {each["name"]: each for each in project.dvc("exp", "show", "--json").json[1]["experiments"]}
    ours = {each["name"]: each for each in project.did("exp", "show", "--json").json[1]["experiments"]}
    assert {each["executor"].pop("owner") for each in ours.values()} == {"dvc"}
    assert ours == theirs and set(ours) == {"sw-1", "sw-2", "told", "stays"}
    assert project.did("queue", "import", "sw-*", "told").out == "Took over from DVC's queue: sw-1, sw-2, told\n"
    assert states_of_dvc(project) == {"stays": "Queued"} and len(stashed(project)) == 1
    assert rows(project, project.dvc) == {"stays": "queued"}
    assert set(rows(project, project.did)) == {"sw-1", "sw-2", "told", "stays"}
    project.did("exp", "run", "--run-all")
    assert set(project.exps()) == {"sw-1", "sw-2", "told"}
    assert project.git("log", "-1", "--format=%B", project.exps()["told"]) == "why"
    assert "repro.dat" not in project.git("ls-tree", "-r", "--name-only", project.exps()["sw-2"])
    start_worker(project)
    await_that(lambda: "stays" in project.exps())
    await_that(lambda: states_of_dvc(project) == {"stays": "Success"})
    assert set(project.exps()) == {"sw-1", "sw-2", "told", "stays"} and stashed(project) == []
    project.git("fsck", "--strict", "--no-dangling")


def test_what_we_run_is_what_dvc_would_have_run(dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, EXPERIMENTS)
    with_workers(theirs, dvc)
    for each in (ours, theirs):
        each.dvc("exp", "run", "--queue", "-n", "one", "-S", "lr=0.25", "-S", "conf/more.json:seed=9", "prepare")
        each.dvc("exp", "run", "--queue", "-n", "two", "-S", "lr=0.35", "-f")
    ours.did("queue", "import", "--all")
    ours.did("exp", "run", "--run-all")
    start_worker(theirs)
    await_that(lambda: set(theirs.exps()) == {"one", "two"})
    for name in ("one", "two"):
        trees = [
            {line.split("\t")[1]: line.split()[2] for line in each.git("ls-tree", "-r", each.exps()[name]).splitlines()}
            for each in (ours, theirs)
        ]
        for tree in trees:
            tree.pop(".dvc/tmp/repro.dat", None)
        assert trees[0] == trees[1], name


def test_a_running_worker_beside_it_doubles_nothing(project: PeerProject) -> None:
    names = [f"n-{n}" for n in range(1, 17)]
    project.dvc("exp", "run", "--queue", "-n", "n", "-S", "lr=range(1,17)", timeout=200)
    start_worker(project)
    await_that(lambda: len(queued_of_dvc(project)) < len(names))
    done = project.did("queue", "import", "--all", "--json").json
    imported = {each["name"] for each in done["imported"]}
    assert imported and imported < set(names) and done["refused"] == [], done
    project.did("exp", "run", "--run-all")
    assert imported <= set(project.exps())
    await_that(lambda: set(project.exps()) == set(names))
    await_that(lambda: set(states_of_dvc(project).values()) == {"Success"})
    assert set(states_of_dvc(project)) == set(names) - imported
    assert stashed(project) == [] and project.git("for-each-ref", "refs/ob") == ""
    out = (exps(project) / "celery/dvc-exp-worker-1.out").read_text()
    assert "Traceback" not in out, out


def test_failed_ones_are_shown_as_dvc_does(dvc: str, tmp_path: Path) -> None:
    project = with_workers(make_peer_project(tmp_path / "p", dvc, SIMPLE), dvc)
    project.dvc("exp", "run", "--queue", "-n", "bad", "-S", "fail=3")
    start_worker(project)
    await_that(lambda: states_of_dvc(project) == {"bad": "Failed"})
    (theirs,) = project.dvc("exp", "show", "--json").json[1]["experiments"]
    (ours,) = project.did("exp", "show", "--json").json[1]["experiments"]
    assert ours["executor"].pop("owner") == "dvc"
    # DVC says neither where it ran nor that its process is gone.
    assert (ours["executor"]["name"], ours["executor"]["local"].pop("pid")) == ("dvc-task", None)
    theirs["executor"]["local"].pop("pid")
    assert {**ours["executor"], "name": None} == theirs["executor"] and ours["name"] == theirs["name"] == "bad"
    (mine,), (other,) = ours["revs"], theirs["revs"]
    assert mine["error"] == other["error"] and mine["rev"] == other["rev"]
    assert mine["data"]["params"] == other["data"]["params"]
    project.dvc("queue", "remove", "--failed")
    assert project.did("exp", "show", "--json").json[1]["experiments"] is None


def test_queue_remove_speaks_as_dvc_does(dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, EXPERIMENTS)

    def both(*words: str, code: int = 0) -> tuple[str, str]:
        done = ours.ob(*words), theirs.dvc(*words, code=None)
        assert (done[0].code == 0) == (done[1].code == 0) == (code == 0), done
        return done[0].out + done[0].err, done[1].out + done[1].err

    both("exp", "run", "--queue", "-n", "P", "-S", "lr=0.2,0.3,0.4,0.5")
    for words in (
        ("P-2",),
        ("--queued",),
        ("--queued",),
        ("--failed",),
        ("--success",),
        ("--all",),
        ("--all", "--failed"),
    ):
        mine, other = both("queue", "remove", *words)
        assert mine == other, words
    for words in ((), ("nosuch",), ("nosuch", "--all"), ("P-1", "--failed")):
        mine, other = both("queue", "remove", *words, code=1)
        if words == ("nosuch",):
            assert (
                "'nosuch' is not a valid experiment name" in mine and "'nosuch' is not a valid experiment name" in other
            )


def test_exp_clean_removes_what_dvc_removes(dvc: str, tmp_path: Path) -> None:
    ours = with_workers(make_peer_project(tmp_path / "ob", dvc, EXPERIMENTS), dvc)
    ours.dvc("exp", "run", "--queue", "-n", "q", "-S", "lr=0.2")
    ours.dvc("queue", "status")
    start_worker(ours)
    await_that(lambda: "q" in ours.exps())
    ours.dvc("queue", "stop")
    broker = exps(ours) / "celery/broker"
    await_that(lambda: not _lives(exps(ours) / "celery/dvc-exp-worker-1.pid"))
    # DVC keeps those that have not expired.
    await_that(lambda: time.time() > max(map(_expires_utc, broker.glob("*/*.pidbox.msg")), default=0))
    theirs = ours.copy(tmp_path / "dvc")
    theirs.dvc("exp", "clean")
    ours.did("exp", "clean")
    left = {path.name for path in (exps(theirs) / "celery/broker/processed").iterdir()}
    assert {path.name for path in (broker / "processed").iterdir()} == left and left
    assert states_of_dvc(ours) == {"q": "Success"}


def _expires_utc(message: Path) -> float:
    """Returns when a control message expires: a second or so after it was sent."""
    return float(json.loads(message.read_text())["headers"].get("expires") or 0)


def _lives(pid_file: Path) -> bool:
    """Tells whether a process runs; one that nobody has buried does not."""
    try:
        return int(pid_file.read_text()) in parents()
    except (OSError, ValueError):
        return False
