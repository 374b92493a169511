"""`ob queue config` and `ob queue sync`: settings of a clone, never of the project, and passwords that nobody sees."""

import json
import os
from pathlib import Path

import pytest

from offbranch.api.queue_remote_changes import bring_news
from projects import TestProject, make_project
from remote_queue import Farm, Hand, make_farm

SECRET = "redis://:hunter22@127.0.0.1:1/0"


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    made.git("init", "-q", "--bare", str(tmp_path / "hub.git"))
    made.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    return made


def test_a_clone_without_a_broker(project: TestProject) -> None:
    done = project.ob("queue", "config")
    assert done.code == 0 and done.out == "This queue is on this machine alone.\n"
    assert project.ob("queue", "config", "--json").json["broker"] is None
    done = project.ob("queue", "sync")
    assert done.code == 2 and "ob queue config --broker" in done.err


def test_settings_are_of_the_clone_and_private(project: TestProject) -> None:
    before = project.git("status", "--porcelain")
    os.chmod(project.root / ".git/config", 0o644)
    done = project.ob("queue", "config", "--broker", SECRET, "--ttl", "30", "--name", "mine")
    assert done.code == 0, done.err
    assert "redis://:***@127.0.0.1:1/0" in done.out and "hunter22" not in done.out + done.err
    assert project.git("config", "--local", "offbranch.broker") == SECRET
    assert (project.root / ".git/config").stat().st_mode & 0o077 == 0
    assert project.git("status", "--porcelain") == before
    shown = project.ob("queue", "config", "--offline", "--json")
    assert shown.json == {
        "broker": "redis://:***@127.0.0.1:1/0",
        "remote": "origin",
        "name": "mine",
        "ttl_s": 30.0,
        "from_environment": [],
        "n_messages": None,
        "workers": [],
        "error": None,
    }
    asked = project.ob("queue", "config")
    assert asked.code == 12 and "cannot be reached" in asked.err and "hunter22" not in asked.out + asked.err
    assert project.ob("queue", "config", "--unset").code == 0
    assert project.ob("queue", "config", "--unset").code == 0
    assert project.ob("queue", "config", "--json").json["broker"] is None


def test_the_environment_has_the_last_word(project: TestProject) -> None:
    assert project.ob("queue", "config", "--broker", "redis://a/0").code == 0
    done = project.ob("queue", "config", "--offline", "--json", OFFBRANCH_BROKER=SECRET, OFFBRANCH_QUEUE_REMOTE="hub")
    assert done.json["broker"] == "redis://:***@127.0.0.1:1/0" and done.json["remote"] == "hub"
    assert done.json["from_environment"] == ["broker", "queueRemote"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--broker", "redi://h"), 2, "did you mean 'redis://'"),
        (("--broker", "http://u:hunter22@h"), 2, "is not the url of a broker"),
        (("--remote", "orign"), 1, "did you mean 'origin'"),
        (("--ttl", "soon"), 2, "'soon' is no time"),
        (("--ttl", "0"), 2, "at least 2"),
        (("--unset", "--name", "x"), 2, "--unset goes with no other setting"),
    ],
)
def test_what_makes_no_sense_is_refused(project: TestProject, words: tuple[str, ...], code: int, said: str) -> None:
    done = project.ob("queue", "config", *words)
    assert done.code == code and said in done.err and "hunter22" not in done.err
    assert "offbranch" not in (project.root / ".git/config").read_text()


def test_a_bad_number_in_the_file_is_told_with_its_place(project: TestProject) -> None:
    project.git("config", "offbranch.broker", "redis://a/0")
    project.git("config", "offbranch.queueTtl", "soon")
    done = project.ob("queue", "config", "--offline")
    assert done.code == 1 and ".git/config: offbranch.queueTtl" in done.err


def test_the_name_of_the_queue_is_that_of_the_first_commit(project: TestProject, tmp_path: Path) -> None:
    project.git("push", "-q", "origin", "main")
    project.git("config", "offbranch.broker", "redis://a/0")
    name = project.ob("queue", "config", "--offline", "--json").json["name"]
    assert name == "offbranch-" + project.git("rev-list", "--max-parents=0", "HEAD")[:16]
    project.write("more.txt", "x")
    project.commit()
    project.git("push", "-q", "origin", "main")
    assert project.ob("queue", "config", "--offline", "--json").json["name"] == name
    project.git("clone", "-q", "--depth=1", f"file://{tmp_path}/hub.git", str(tmp_path / "shallow"))
    shallow = TestProject(tmp_path / "shallow")
    shallow.git("config", "offbranch.broker", "redis://a/0")
    done = shallow.ob("queue", "config", "--offline")
    assert done.code == 1 and "--unshallow" in done.err


def test_a_shallow_clone_keeps_what_it_cannot_send(farm: Farm, tmp_path: Path) -> None:
    farm.home.git("clone", "-q", "--depth=1", f"file://{farm.place.remote}", str(tmp_path / "shallow"))
    shallow = TestProject(tmp_path / "shallow")
    shallow.git("config", "offbranch.broker", "redis://a/0")
    done = shallow.ob("exp", "run", "--queue", "-n", "half")
    assert done.code == 0 and "Queued experiment 'half'" in done.out
    assert "'half' stays in the queue of this machine" in done.err and "--unshallow" in done.err
    bring_news(shallow.session())  # no error: what is here is shown


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return make_farm(tmp_path / "farm")


def test_queueing_says_what_was_sent(farm: Farm) -> None:
    done = farm.home.ob("exp", "run", "--queue", "-n", "half", "-S", "lr=0.5")
    assert done.code == 0
    assert done.out == "Queued experiment 'half' for future execution.  lr=0.5\nSent 'half' to the shared queue.\n"
    assert "workers could not be told" in done.err and "nothing is lost" in done.err


def test_what_was_sent_is_not_run_by_hand(farm: Farm) -> None:
    farm.queue("lr=0.5", name="half")
    done = farm.home.ob("exp", "run", "--run-all")
    assert done.code == 0
    assert done.out == "No experiments in the queue but 1 experiment that was sent to the shared queue.\n"
    assert "ob queue start" in done.err
    assert farm.there("tasks") != []


def test_a_sync_says_what_came(farm: Farm) -> None:
    (good,) = farm.queue("lr=0.5", name="half")
    (bad,) = farm.queue("fail=3", name="bad")
    (left,) = farm.queue("lr=0.7", name="left")
    worker = Hand(farm.clone("w"))
    worker.work(good.task.id)
    worker.work(bad.task.id)
    done = farm.home.ob("queue", "sync")
    assert "Ran experiment(s): half\n" in done.out
    assert "'bad' failed: 'train' failed: 'sh train.sh' exited with 3\n" in done.out
    assert "In the queue: 1 waiting, 0 running." in done.out
    assert done.code == 1 and "workers could not be told" in done.err
    again = farm.home.ob("queue", "sync", "--json")
    assert again.json["n_waiting"] == 1 and again.json["experiments"] == again.json["attempts"] == []
    assert json.loads(again.out)["error"].startswith("the broker redis://127.0.0.1:1/0 cannot be reached")
    assert left.name == "left"


def test_a_git_remote_that_is_away(farm: Farm) -> None:
    os.rename(farm.place.remote, farm.place.base / "gone.git")
    done = farm.home.ob("queue", "sync")
    assert done.code == 12 and "origin" in done.err and "Traceback" not in done.err
