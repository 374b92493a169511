"""What `ob queue status` says while processes are killed: never that something runs which does not, nor the other way round."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from projects import SIMPLE, TestProject, make_project

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="needs process groups"), pytest.mark.timeout(300)]
# Says who it is, and ends when it is told to: not when its terminal is gone, as most commands do.
SLOW = """\
trap '' HUP PIPE
echo "{\\"acc\\": 0.5}" > metrics.json
echo begun
echo $$ > "$PLACE/pid"
while [ ! -e "$PLACE/go" ]; do sleep 0.05; done
echo model > model.txt
"""


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p", {**SIMPLE, "train.sh": SLOW})
    made.env["PLACE"] = str(tmp_path)
    return made


def seen(project: TestProject) -> dict[str, Any]:
    (task,) = project.ob("queue", "status", "--json").json["tasks"]
    return dict(task)


def await_that(check: Callable[[], bool]) -> None:
    for _ in range(600):
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to be")


def test_it_is_true_at_every_step(project: TestProject) -> None:
    place = Path(project.env["PLACE"])
    assert project.ob("exp", "run", "--queue", "-n", "t").code == 0
    assert seen(project)["state"] == "queued"
    assert project.ob("queue", "start").code == 0
    await_that(lambda: seen(project)["state"] == "running" and (place / "pid").exists())
    task, status = seen(project), project.ob("queue", "status", "--json").json
    assert (status["n_active"], status["n_idle"], task["is_orphan"]) == (1, 0, False)
    assert task["metrics"] == {"metrics.json": {"data": {"acc": 0.5}}} and task["worker"] == status["workers"][0]["id"]
    assert "acc=0.5" in project.ob("queue", "status").out
    assert project.ob("queue", "logs", "t").out.endswith("begun\n")
    # Nobody is left to look after it but its command.
    # The worker stands still first: it would end the command of a child that dies, and a child without a worker ends its own.
    os.kill(status["workers"][0]["pid"], signal.SIGSTOP)
    os.kill(task["pid"], signal.SIGKILL)
    os.kill(status["workers"][0]["pid"], signal.SIGKILL)
    await_that(lambda: bool(seen(project)["is_orphan"]))
    assert seen(project)["state"] == "running"
    ended = project.ob("queue", "status")
    assert "its worker is gone, its command still runs" in ended.out and "0 active, 0 idle" in ended.out
    os.kill(int((place / "pid").read_text()), signal.SIGKILL)
    await_that(lambda: seen(project)["state"] == "queued")
    task = seen(project)
    assert (task["n_lost"], task["cause"]) == (1, "lost once: the process that ran it was killed")
    assert [each["name"] for each in shown(project)] == ["t"], "one row for one task"
    assert shown(project)[0]["executor"]["state"] == "queued"
    # What was lost is run again, and its first log is kept.
    (place / "go").touch()
    assert project.ob("queue", "start").code == 0
    ended = project.ob("queue", "wait", timeout=120)
    assert (ended.code, ended.out) == (0, "1 succeeded.\n"), ended.err
    task = seen(project)
    assert (task["state"], len(task["attempts"])) == ("succeeded", 2)
    assert "begun\n" in project.ob("queue", "logs", "--attempt", "1", "t").out
    assert [each["name"] for each in shown(project)] == ["t"] and shown(project)[0]["executor"] is None
    assert project.ob("queue", "stop").code == 0


def shown(project: TestProject) -> list[dict[str, Any]]:
    return [each for state in project.ob("exp", "show", "--json").json for each in state["experiments"] or ()]
