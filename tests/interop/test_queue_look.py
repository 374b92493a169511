"""`queue status` and `queue logs` beside those of DVC; and DVC's own queue as `ob` shows it."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interop.peers import PeerProject, make_peer_project, peer_project, twins
from projects import SIMPLE

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]
TRAIN = """\
echo "begun $PLACE"
while [ -n "$PLACE" ] && [ ! -e "$PLACE/go" ] && grep -q "lr: 9" params.yaml; do sleep 0.1; done
"""
FILES = {**SIMPLE, "train.sh": TRAIN + SIMPLE["train.sh"]}


def with_dvc_on_path(project: PeerProject, place: Path) -> PeerProject:
    """DVC's workers start `dvc` by its name."""
    bin_dir = os.path.dirname(project.dvc_command)
    project.env |= {"PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}", "PLACE": str(place)}
    return project


def rows(text: str) -> list[tuple[str, ...]]:
    """Name and status of each row of `queue status`."""
    lines = text.split("\n\n")[0].splitlines()[1:]
    return [(cells[1], cells[3]) for cells in (re.split(r" {2,}", line.strip()) for line in lines)]


def start(project: PeerProject) -> None:
    """Starts a worker of DVC; it would keep our pipes."""
    env = {**os.environ, **project.env}
    subprocess.run([project.dvc_command, "queue", "start"], cwd=project.root, env=env, stdout=-3, stderr=-3, check=True)


def await_that(check: Callable[[], bool]) -> None:
    for _ in range(600):
        if check():
            return
        time.sleep(0.2)
    raise AssertionError("it did not come to be")


def test_both_say_the_same_of_the_same_queue(tmp_path: Path, dvc: str) -> None:
    ours, theirs = twins(tmp_path, dvc, FILES)
    with_dvc_on_path(theirs, tmp_path / "theirs")
    assert ours.did("queue", "status").out.strip() == theirs.dvc("queue", "status").out.strip()
    for name, *overrides in (("good",), ("bad", "fail=3"), ("later", "lr=0.7")):
        words = ("exp", "run", "--queue", "-n", name, *(word for each in overrides for word in ("-S", each)))
        ours.did(*words)
        theirs.dvc(*words)
    mine, peer = ours.did("queue", "status").out, theirs.dvc("queue", "status").out
    assert rows(mine) == rows(peer) == [("good", "Queued"), ("bad", "Queued"), ("later", "Queued")]
    assert mine.splitlines()[0].split() == peer.splitlines()[0].split() == ["Task", "Name", "Created", "Status"]
    assert mine.splitlines()[-1] == peer.strip().splitlines()[-1] == "Worker status: 0 active, 0 idle"
    for name in ("later", "nosuch"):
        refused, by_dvc = ours.did("queue", "logs", name, code=1), theirs.dvc("queue", "logs", name, code=255)
        said = by_dvc.err.removeprefix("ERROR: ").strip().lower()
        assert said in refused.err.lower()
    ours.did("queue", "start")
    start(theirs)
    ours.did("queue", "wait", code=1)
    await_that(lambda: not {"Queued", "Running"} & {row[1] for row in rows(theirs.dvc("queue", "status").out)})
    mine, peer = ours.did("queue", "status").out, theirs.dvc("queue", "status").out
    assert sorted(rows(mine)) == sorted(rows(peer)) == [("bad", "Failed"), ("good", "Success"), ("later", "Success")]
    assert rows(mine)[0] == rows(peer)[0] == ("bad", "Failed")
    assert "begun" in ours.did("queue", "logs", "bad").out and "begun" in theirs.dvc("queue", "logs", "bad").out
    first = (
        "Following logs for experiment 'good'. Use Ctrl+C to stop following logs (experiment execution will continue)."
    )
    for followed in (ours.did("queue", "logs", "-f", "good").out, theirs.dvc("queue", "logs", "-f", "good").out):
        assert followed.splitlines()[0] == first and "begun" in followed
    # The rows of `exp show`: what failed has its state and its place.
    assert (
        states(ours.did("exp", "show", "--json").json)["bad"] == states(theirs.dvc("exp", "show", "--json").json)["bad"]
    )


def states(shown: list[dict[str, Any]]) -> dict[str, Any]:
    found = (each for state in shown for each in state["experiments"] or ())
    return {each["name"]: each["executor"] and each["executor"]["state"] for each in found}


def test_the_queue_of_dvc_is_shown(tmp_path: Path, dvc: str) -> None:
    project = with_dvc_on_path(make_peer_project(tmp_path / "p", dvc, FILES), tmp_path)
    for name, override in (("good", "lr=0.2"), ("bad", "fail=3"), ("slow", "lr=9"), ("waits", "lr=0.4")):
        project.dvc("exp", "run", "--queue", "-n", name, "-S", override)
    project.did("exp", "run", "--queue", "-n", "ours", "-S", "lr=0.5")
    before = project.did("queue", "status")
    names = [name for name, _ in sorted(rows(before.out))]
    assert names == ["bad", "good", "ours", "slow", "waits"]
    assert {state for _, state in rows(before.out)} == {"Queued"}
    start(project)
    await_that(lambda: ("slow", "Running") in rows(project.did("queue", "status").out))
    mine, peer = project.did("queue", "status"), project.dvc("queue", "status")
    assert sorted(row for row in rows_of_dvc(mine.out)) == sorted(rows(peer.out))
    tasks = {task["name"]: task for task in project.did("queue", "status", "--json").json["tasks"]}
    assert {name: (task["owner"], task["state"]) for name, task in tasks.items()} == {
        "good": ("dvc", "succeeded"),
        "bad": ("dvc", "failed"),
        "slow": ("dvc", "running"),
        "waits": ("dvc", "queued"),
        "ours": ("ob", "queued"),
    }
    assert "begun" in project.did("queue", "logs", "bad").out
    assert "has not been started" in project.did("queue", "logs", "waits", code=1).err
    shown = states(project.did("exp", "show", "--json").json)
    assert shown == {
        "good": None,
        "bad": "failed",
        "slow": "running",
        "waits": "queued",
        "ours": "queued",
    }
    assert project.did("queue", "wait", "--timeout", "0.1", "slow", code=1).err.startswith("error: after 0.1 s 'slow'")
    (tmp_path / "go").touch()
    project.did("queue", "wait", "slow", "waits", "good")
    project.dvc("queue", "stop")


def rows_of_dvc(text: str) -> list[tuple[str, ...]]:
    lines = text.split("\n\n")[0].splitlines()[1:]
    cells = [re.split(r" {2,}", line.strip()) for line in lines]
    return [(each[1], each[3]) for each in cells if "DVC" in each[4:]]


def test_a_project_without_the_other_tool(tmp_path: Path, dvc: str) -> None:
    made = make_peer_project(tmp_path / "p", dvc, SIMPLE)
    project = peer_project(made.root, dvc)
    project.dvc("queue", "status")
    assert project.did("queue", "status", "--json").json["tasks"] == []
