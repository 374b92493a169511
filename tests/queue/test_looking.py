"""Queued tasks beside experiments: shown, applied, compared, removed, and their data kept."""

from pathlib import Path
from typing import Any

import pytest

from git_repos import opened
from offbranch.api.data import add
from offbranch.api.exp import RunRequest, run
from offbranch.api.exp_keep import apply, remove
from offbranch.api.queue import submit
from offbranch.api.queue_run_all import run_all
from offbranch.api.show import exp_diff
from offbranch.base.environ import read_environment
from offbranch.base.errors import NotFoundError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.experiments.remove import Removal
from offbranch.queue.store import read_tasks, revision_of
from projects import TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    run(RunRequest(overrides=("lr=0.2",), name="good"), made.session())
    return made


def queue(project: TestProject, *overrides: str, **more: Any) -> None:
    submit(RunRequest(overrides=overrides, **more), project.session())


def waiting(project: TestProject) -> list[str]:
    return [each.name for each in read_tasks(opened(project.root), AbsPath(str(project.root))).queued]


def shown(project: TestProject, *words: str) -> list[dict[str, Any]]:
    states = project.ob("exp", "show", "--json", *words).json
    return [each for state in states for each in state["experiments"] or ()]


def test_they_are_shown_between_successful_and_failed_ones(project: TestProject) -> None:
    queue(project, "fail=3", name="bad")
    assert [end.exit_code for end in run_all(project.session())] == [3]
    queue(project, "lr=range(1,12)", name="Q")
    found = shown(project)
    assert [each["name"] for each in found] == ["good", *(f"Q-{n}" for n in range(11, 0, -1)), "bad"]
    queued = found[1]
    (state,) = queued["revs"]
    assert state["data"]["params"]["params.yaml"]["data"] == {"lr": 11, "fail": 0}
    assert state["data"]["metrics"] == {} and state["error"] is None
    nothing = {"root": None, "log": None, "pid": None, "returncode": None}
    executor = queued["executor"]
    assert (
        executor.pop("queue_id")
        == project.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/ob/tasks").split()[-1]
    )
    about = {key: executor.pop(key) for key in ("is_held", "priority", "n_attempts", "n_lost", "host", "note")}
    assert about == {"is_held": False, "priority": 0, "n_attempts": 0, "n_lost": 0, "host": None, "note": None}
    assert executor == {"state": "queued", "name": "dvc-task", "local": {**nothing, "task_id": state["rev"]}}
    assert project.git("cat-file", "-t", state["rev"]) == "commit"


def test_they_can_be_hidden_or_shown_alone(project: TestProject) -> None:
    queue(project, "lr=1,2", name="Q")
    assert [each["name"] for each in shown(project, "--hide-queued")] == ["good"]
    assert [each["name"] for each in shown(project, "--queued")] == ["Q-2", "Q-1"]
    lines = project.ob("exp", "show", "--csv").out.splitlines()
    assert [line.partition(",")[0] for line in lines[3:]] == ["good", "Q-2", "Q-1"]
    assert "Queued" in project.ob("exp", "show", "--md").out
    assert project.ob("exp", "list", "--name-only").out == "good\n"


def test_those_of_another_baseline_are_under_it(project: TestProject) -> None:
    queue(project, "lr=1", name="old")
    project.write("data.txt", "more\n")
    project.commit("moves on")
    queue(project, "lr=2", name="new")
    assert [each["name"] for each in shown(project)] == ["new"]
    assert [each["name"] for each in shown(project, "-n", "2")] == ["new", "good", "old"]
    project.git("reset", "-q", "--hard", "HEAD~1")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now")
    assert {each["name"] for each in shown(project, "-A")} == {"new", "good", "old"}
    assert [end.cause for end in run_all(project.session())] == ["", ""]


def test_one_can_be_applied(project: TestProject) -> None:
    queue(project, "lr=1,2", name="Q")
    first = read_tasks(opened(project.root), AbsPath(str(project.root))).all[0]
    done = apply("Q-2", project.session())
    assert (done.name, done.baseline) == ("Q-2", project.git("rev-parse", "HEAD"))
    assert "lr: 2" in project.read("params.yaml")
    for text in (first.task.id, first.ref, first.commit[:9]):
        apply("Q-2", project.session())
        apply(text, project.session())
        assert "lr: 1\n" in project.read("params.yaml"), text
    ended = project.ob("exp", "apply", "Q-2")
    assert ended.out == "Changes for experiment 'Q-2' have been applied to your current workspace.\n"
    with pytest.raises(NotFoundError, match="'Q-9' is neither a Git revision nor an experiment"):
        apply("Q-9", project.session())


def test_an_experiment_of_the_name_comes_first(project: TestProject) -> None:
    queue(project, "lr=9", name="good", force=True)
    assert revision_of(opened(project.root), AbsPath(str(project.root)), "good") == "good"
    apply("good", project.session())
    assert "lr: 0.2" in project.read("params.yaml")


def test_two_can_be_compared(project: TestProject) -> None:
    queue(project, "lr=1,2", name="Q")
    where: dict[str, Any] = {"start": AbsPath(str(project.root)), "environment": read_environment()}
    project.ob("exp", "diff", "Q-1", "Q-2", "--json")
    diff = project.ob("exp", "diff", "Q-1", "Q-2", "--json").json
    assert diff["params"] == {"params.yaml": {"lr": {"old": 1, "new": 2, "diff": 1}}}
    assert exp_diff("good", "Q-1", **where) != exp_diff("good", "Q-2", **where)
    assert project.ob("exp", "diff", "Q-9").code == 1


def test_they_can_be_removed_by_name(project: TestProject) -> None:
    queue(project, "lr=1,2,3", name="Q")
    assert remove(Removal(names=("Q-1", "good"), dry=True), project.session()).names == ("good", "Q-1")
    assert waiting(project) == ["Q-1", "Q-2", "Q-3"]
    with pytest.raises(NotFoundError, match="no experiment 'nosuch'; nothing was removed"):
        remove(Removal(names=("Q-1", "nosuch")), project.session())
    assert waiting(project) == ["Q-1", "Q-2", "Q-3"]
    assert project.ob("exp", "remove", "Q-1", "good").out == "Removed experiments: 'good' and 'Q-1'\n"
    assert waiting(project) == ["Q-2", "Q-3"] and project.exps() == {}
    assert project.ob("exp", "remove", "Q-2", "--keep").code == 0
    assert waiting(project) == ["Q-2", "Q-3"]


def test_all_that_wait_can_be_removed(project: TestProject) -> None:
    queue(project, "lr=1,2", name="Q")
    assert project.ob("exp", "remove", "-A", "--dry").out == "Would remove experiments: 'good'\n"
    for wrong in (("Q-1",), ("-A",), ("--keep",), ("--rev", "HEAD")):
        assert project.ob("exp", "remove", "--queue", *wrong).code == 2
    assert project.ob("exp", "remove", "--queue", "--dry").out == "Would remove experiments: 'Q-1' and 'Q-2'\n"
    assert project.ob("exp", "remove", "--queue", "--json").json == ["Q-1", "Q-2"]
    assert waiting(project) == [] and set(project.exps()) == {"good"}
    assert project.ob("exp", "remove", "--queue").out == "No experiments to remove.\n"


def test_a_name_of_two_tasks_is_no_name(project: TestProject) -> None:
    queue(project, "lr=1", name="Q")
    project.git("commit", "-q", "--allow-empty", "-m", "next")
    queue(project, "lr=2", name="Q")
    for action in (lambda: apply("Q", project.session()), lambda: remove(Removal(names=("Q",)), project.session())):
        with pytest.raises(UsageError, match="stands for several") as raised:
            action()
    first = (raised.value.hint or "").rpartition(": ")[2].split(", ")[0]
    assert remove(Removal(names=(first,)), project.session()).names == ("Q",)
    assert waiting(project) == ["Q"]


def test_gc_keeps_what_they_use(project: TestProject) -> None:
    project.write("data.bin", "one\n")
    add(["data.bin"], project.session())
    project.commit("data")
    project.write("data.bin", "two\n")
    queue(project, "lr=5", name="Q")
    project.write("data.bin", "one\n")
    assert project.ob("gc", "-w", "-f").code == 0
    assert project.exists(".dvc/cache/files/md5/c1/93497a1a06b2c72230e6146ff47080")
    assert project.ob("exp", "remove", "--queue").code == 0
    assert project.ob("gc", "-w", "-f").code == 0
    assert not project.exists(".dvc/cache/files/md5/c1/93497a1a06b2c72230e6146ff47080")


def test_packed_refs_are_found(project: TestProject) -> None:
    queue(project, "lr=1,2", name="Q")
    project.git("pack-refs", "--all")
    assert [each["name"] for each in shown(project, "--queued")] == ["Q-2", "Q-1"]
    apply("Q-1", project.session())
    assert "lr: 1\n" in project.read("params.yaml")
