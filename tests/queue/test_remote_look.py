"""Looking at, changing and waiting for a queue that clones share: what one of them does, the others see."""

import json
from pathlib import Path

import pytest

from offbranch.base.processes import host_name
from projects import TestProject
from remote_queue import Farm, Hand, make_farm


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return make_farm(tmp_path / "farm")


def states(project: TestProject, *words: str) -> dict[str, str]:
    done = project.ob("queue", "status", "--json", *words)
    assert done.code == 0, done.err
    return {each["name"]: each["state"] for each in done.json["tasks"]}


def test_what_runs_elsewhere_is_seen_by_everybody(farm: Farm) -> None:
    (task,) = farm.queue("lr=0.5", name="t")
    onlooker = farm.clone("onlooker")
    seen: list[TestProject] = []

    def look() -> None:
        for project in (farm.home, onlooker):
            looks_right(project)
            seen.append(project)

    assert states(onlooker) == {"t": "queued"}, "it has come here without being asked for"
    Hand(farm.clone("worker"), before_run=look).work(task.task.id)
    assert seen == [farm.home, onlooker]
    assert states(onlooker, "--offline") == {"t": "running"}, "what was known"
    for project in (farm.home, onlooker):
        waited = project.ob("queue", "wait", "t", "--json")
        assert (waited.code, waited.json["all_succeeded"]) == (0, True), waited.err
        assert states(project, "--offline") == {"t": "succeeded"}
        assert project.ob("queue", "status").out.split("\n")[1].endswith("Success")


def looks_right(project: TestProject) -> None:
    (task,) = project.ob("queue", "status", "--json").json["tasks"]
    assert (task["state"], task["is_elsewhere"], task["is_shared"], task["is_orphan"]) == ("running", True, True, False)
    assert task["host"] == host_name() and task["pid"] > 0 and task["started_utc"] > task["created_utc"] - 1
    assert (task["worker"], task["log"], task["attempt_id"], task["attempts"]) == (None, None, None, [])
    table = project.ob("queue", "status")
    assert f"on {host_name()} since " in table.out and "Running" in table.out
    (row,) = shown(project)
    assert (row["name"], row["executor"]["state"], row["executor"]["host"]) == ("t", "running", host_name())
    assert f"on {host_name()}" in project.ob("exp", "show").out
    assert "Running" in project.ob("exp", "show", "--queued", "--hide-queued").out
    logs = project.ob("queue", "logs", "t")
    assert logs.code == 1 and f"runs on {host_name()}" in logs.err and "hint: ob queue wait t" in logs.err
    for words in (("hold", "t"), ("release", "t"), ("priority", "3", "t"), ("remove", "t"), ("retry", "t")):
        done = project.ob("queue", *words)
        assert done.code == 1 and "'t' is running" in done.err, (words, done.err)
    all_ = project.ob("queue", "remove", "--all")
    assert (all_.code, all_.out) == (0, "No tasks found named []\n") and "they run: t" in all_.err
    assert project.ob("queue", "wait", "t", "--timeout", "0").code == 1


def shown(project: TestProject) -> list[dict[str, dict[str, object]]]:
    return [each for state in project.ob("exp", "show", "--json").json for each in state["experiments"] or ()]


def test_each_change_is_sent_at_once(farm: Farm) -> None:
    farm.queue("lr=range(1,4)", name="t")
    other = farm.clone("other")
    assert states(other) == {"t-1": "queued", "t-2": "queued", "t-3": "queued"}
    for words, key, value in (
        (("hold", "t-1", "--json"), "is_held", True),
        (("release", "t-1"), "is_held", False),
        (("priority", "7", "t-1"), "priority", 7),
    ):
        assert other.ob("queue", *words).code == 0
        (task,) = farm.home.ob("queue", "status", "t-1", "--json").json["tasks"]
        assert task[key] == value, words
    removed = other.ob("queue", "remove", "t-2", "--dry-run")
    assert removed.code == 0 and len(farm.there("tasks")) == 3
    assert other.ob("queue", "remove", "t-2", "t-3").code == 0
    assert len(farm.there("tasks")) == 1 and states(farm.home) == {"t-1": "queued"}


def test_a_retry_is_sent_at_once(farm: Farm) -> None:
    farm.home.write("train.sh", "echo no; exit 3\n")
    farm.home.commit("broken")
    farm.home.git("push", "-q", "origin", "main")
    (task,) = farm.queue(name="t")
    Hand(farm.clone("worker")).work(task.task.id)
    waited = farm.home.ob("queue", "wait")
    assert waited.code == 1 and "t: Failed" in waited.out and farm.there("tasks") == []
    assert farm.home.ob("queue", "logs", "t").out.endswith("no\n"), "its log came too"
    again = farm.home.ob("queue", "retry", "--failed")
    assert again.code == 0 and farm.there("tasks") == [task.task.id], again.err
    assert "Sent 't' to the shared queue." in again.out
    assert states(farm.clone("other")) == {"t": "queued"}


def test_a_git_remote_that_is_away_is_told_and_nothing_fails(farm: Farm) -> None:
    farm.queue(name="t")
    farm.home.git("remote", "set-url", "origin", "../nowhere.git")
    looked = farm.home.ob("queue", "status", "--json")
    assert looked.code == 0 and [each["name"] for each in looked.json["tasks"]] == ["t"]
    assert "could not be brought up to date" in looked.err
    assert farm.home.ob("queue", "status", "--offline").err == ""
    held = farm.home.ob("queue", "hold", "t")
    assert (held.code, held.out) == (0, "Held: t\n") and "ob queue sync does the rest" in held.err
    waited = farm.home.ob("queue", "wait", "t", "--timeout", "6")
    assert waited.code == 1 and waited.err.count("could not be brought up to date") == 1, waited.err
    farm.home.git("remote", "set-url", "origin", "../remote.git")
    assert farm.home.ob("queue", "sync").code == 0
    (task,) = farm.clone("other").ob("queue", "status", "--json").json["tasks"]
    assert task["is_held"]


def test_of_a_lease_that_cannot_be_read_it_is_said_that_somebody_has_it(farm: Farm) -> None:
    (task,) = farm.queue(name="t")
    farm.place.project.git("update-ref", f"refs/ob/away/{task.task.id}", "HEAD")
    (shown_,) = farm.home.ob("queue", "status", "--offline", "--json").json["tasks"]
    assert (shown_["state"], shown_["is_elsewhere"], shown_["host"], shown_["started_utc"]) == (
        "running",
        True,
        None,
        None,
    )
    assert "on another machine" in farm.home.ob("queue", "status", "--offline").out
    assert json.dumps(shown_)
