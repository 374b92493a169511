"""Sweeps: the same trials in the same order with the same files as DVC queues, and DVC is not disturbed by our queue."""

import json
from pathlib import Path
from typing import Any

import pytest

from interop.peers import PeerProject, make_peer_project, twins
from interop.pipelines import EXPERIMENTS
from offbranch.base.paths import RepoPath
from offbranch.params.files import parse_params

pytestmark = pytest.mark.interop

FILES = ("params.yaml", "conf/more.json")
SWEEPS: tuple[tuple[str, ...], ...] = (
    ("-n", "a", "-S", "lr=0.001,0.01,0.1"),
    ("-n", "b", "-S", "lr=range(0.001,0.1,0.02)"),
    ("-n", "c", "-S", "lr=choice(0.4,0.5)", "-S", "train.epochs=range(1,3)"),
    ("-n", "d", "-S", "train.epochs=sort(3,1,2)", "-S", "conf/more.json:seed=7,8", "-S", "+added=x"),
    ("-n", "e", "-S", "lr=choice(7)"),
    ("-n", "f", "-S", "lr=tag(t,choice(1,2))", "-S", "conf/more.json:deep.x=1e-3,null,'2'"),
    ("-n", "g", "-S", "lr=0.5"),
    ("-n", "h", "-S", "lr=1,1", "prepare"),
)


def trials_of_dvc(project: PeerProject) -> list[tuple[str, dict[str, Any]]]:
    """Name and parameters of what DVC has queued, oldest first: the reflog of its stash has the newest first."""
    lines = project.git("log", "-g", "--format=%H %gs", "refs/exps/celery/stash").splitlines()
    found = []
    for line in reversed(lines):
        commit, _, subject = line.partition(" ")
        found.append((subject.split(":")[4], parameters(project, commit)))
    return found


def trials_of_ob(project: PeerProject) -> list[tuple[str, dict[str, Any]]]:
    lines = project.git("for-each-ref", "--format=%(objectname) %(contents:subject)", "refs/ob/tasks").splitlines()
    pairs = (line.partition(" ") for line in lines)
    return [(subject.removeprefix("ob: task "), parameters(project, commit)) for commit, _, subject in pairs]


def parameters(project: PeerProject, commit: str) -> dict[str, Any]:
    return {path: parse_params(project.file_at(commit, path).encode(), RepoPath(path)) for path in FILES}


@pytest.mark.parametrize("options", SWEEPS, ids=lambda options: options[1])
def test_the_same_trials(options: tuple[str, ...], dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, EXPERIMENTS)
    ours.did("exp", "run", "--queue", *options)
    theirs.dvc("exp", "run", "--queue", *options)
    assert trials_of_ob(ours) == trials_of_dvc(theirs)
    ob_rows = queued_rows(ours.did("exp", "show", "--json").json)
    dvc_rows = queued_rows(theirs.dvc("exp", "show", "--json").json)
    assert ob_rows == dvc_rows


def queued_rows(states: list[dict[str, Any]]) -> dict[str, Any]:
    """What both show of each queued experiment, apart from ids and times."""
    rows = {}
    for each in states[1]["experiments"]:
        (state,) = each["revs"]
        executor = each["executor"]
        assert executor["local"].pop("task_id") == state["rev"] == state["data"].pop("rev")
        state["data"].pop("timestamp")
        # What we say beyond DVC has keys of its own.
        rows[each["name"]] = (state["data"], state["error"], {key: executor[key] for key in ("state", "name", "local")})
    return rows


def test_dvc_works_beside_our_queue(dvc: str, tmp_path: Path) -> None:
    project = make_peer_project(tmp_path / "p", dvc, EXPERIMENTS)
    project.did("repro")
    project.commit("results")
    project.did("exp", "run", "--queue", "-n", "ours", "-S", "lr=0.2,0.3")
    project.dvc("exp", "run", "--queue", "-n", "theirs", "-S", "lr=0.6")
    project.dvc("exp", "run", "--temp", "-n", "now", "-S", "lr=0.7")
    rows = project.dvc("exp", "show", "--json").json[1]["experiments"]
    assert {each["name"] for each in rows} == {"now", "theirs"}
    assert project.dvc("exp", "list", "--name-only").out.split() == ["now"]
    project.did("exp", "run", "--run-all")
    assert set(project.dvc("exp", "list", "--name-only").out.split()) == {"now", "ours-1", "ours-2"}
    project.dvc("exp", "apply", "ours-2")
    assert "lr: 0.3" in project.read("params.yaml")
    project.dvc("exp", "remove", "--queue")
    project.dvc("exp", "remove", "-A")
    assert project.git("for-each-ref", "refs/exps/??", "refs/ob/tasks") == ""
    project.dvc("gc", "-w", "-f")


def test_what_ran_from_the_queue_is_what_dvc_makes(dvc: str, tmp_path: Path) -> None:
    ours, theirs = twins(tmp_path, dvc, EXPERIMENTS)
    options = ("-n", "q", "-S", "lr=0.25,0.35", "-S", "conf/more.json:seed=9")
    ours.did("exp", "run", "--queue", *options)
    ours.did("exp", "run", "--run-all")
    for n, rate in enumerate(("0.25", "0.35"), 1):
        theirs.dvc("exp", "run", "--temp", "-n", f"q-{n}", "-S", f"lr={rate}", "-S", "conf/more.json:seed=9")
    assert set(ours.exps()) == set(theirs.exps()) == {"q-1", "q-2"}
    for name, commit in ours.exps().items():
        made = {line.split()[3]: line.split()[2] for line in ours.git("ls-tree", "-r", commit).splitlines()}
        peer = {
            line.split()[3]: line.split()[2] for line in theirs.git("ls-tree", "-r", theirs.exps()[name]).splitlines()
        }
        assert made.keys() == peer.keys()
        same = {path for path in made if not path.startswith(FILES)}
        assert {path: made[path] for path in same} == {path: peer[path] for path in same}
        for reader in (ours, theirs):
            shown = json.loads(reader.dvc("exp", "show", "--json").out)[1]["experiments"]
            assert {each["name"] for each in shown} == {"q-1", "q-2"}
        assert ours.git("log", "-1", "--format=%B", commit) == theirs.git(
            "log", "-1", "--format=%B", theirs.exps()[name]
        )
