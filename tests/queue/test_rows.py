"""`exp show`: one row for one task, whatever was tried and lost for it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from offbranch.base.processes import this_process
from offbranch.experiments.experiment import AttemptState
from projects import SOURCE, TestProject, make_project
from queue_histories import MadeHistory, mixed


@pytest.fixture
def made(tmp_path: Path) -> MadeHistory:
    return MadeHistory(make_project(tmp_path / "p"))


def rows(project: TestProject, *words: str) -> list[dict[str, Any]]:
    states = project.ob("exp", "show", "--json", *words).json
    return [each for state in states for each in state["experiments"] or ()]


def table(project: TestProject, *words: str) -> dict[str, str]:
    """Name -> state."""
    lines = project.ob("exp", "show", "--csv", *words).out.splitlines()
    at = lines[0].split(",").index("State")
    return {cells[0]: cells[at] for cells in (line.split(",") for line in lines[1:]) if cells[0]}


def change(made: MadeHistory, task: tuple[str, str], **changes: Any) -> tuple[str, str]:
    """Replaces the record of a task, as `ob queue hold` does."""
    head, _, body = made.project.git("cat-file", "commit", task[1]).partition("\n\n")
    subject, _, text = body.partition("\n\n")
    record = json.dumps({**json.loads(text), **changes})
    commit = made.commit(f"{subject}\n\n{record}\n", parents=(made.head,))
    assert head
    made.project.git("update-ref", f"refs/ob/tasks/{task[0]}", commit)
    return task[0], commit


def test_a_lost_task_is_shown_once_and_as_queued(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.write(made.attempt("t", task, AttemptState.RUNNING), lease=True)
    made.flush()
    (row,) = rows(made.project)
    assert (row["name"], row["executor"]["state"], row["executor"]["n_lost"]) == ("t", "queued", 1)
    assert "t]: lost once: the process that ran it was killed" in made.project.ob("exp", "show").out
    (row,) = rows(made.project, "--queued")
    assert row["revs"][0]["error"] is None and row["revs"][0]["data"]["metrics"] == {}


def test_one_that_is_tried_again_is_shown_once(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.fail("t", task, keeps=True)
    made.flush()
    assert [row["executor"]["state"] for row in rows(made.project)] == ["queued"]
    last = made.fail("t", task)
    made.flush()
    (row,) = rows(made.project)
    assert (row["executor"]["state"], row["executor"]["attempt_id"], row["executor"]["n_attempts"]) == (
        "failed",
        last.id,
        2,
    )
    assert row["executor"]["local"]["returncode"] == 3 and "exited with 3" in row["revs"][0]["error"]["msg"]


def test_one_that_succeeded_in_the_end_is_an_experiment(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.fail("t", task, keeps=True)
    made.succeed("t", task)
    made.flush()
    (row,) = rows(made.project)
    assert (row["name"], row["executor"]) == ("t", None)


def test_one_that_runs_is_shown_once(made: MadeHistory) -> None:
    (task,) = made.queue("t")
    made.fail("t", task, keeps=True)
    made.write(made.attempt("t", task, AttemptState.RUNNING, process=this_process()), lease=True)
    made.flush()
    (row,) = rows(made.project)
    assert (row["executor"]["state"], row["executor"]["local"]["pid"]) == ("running", this_process().pid)


def test_held_ones_say_so(made: MadeHistory) -> None:
    (task, _) = made.queue("Q", 2)
    change(made, task, is_held=True, priority=3)
    assert table(made.project) == {"Q-2": "Queued", "Q-1": "Held"}
    held = next(row for row in rows(made.project, "--queued") if row["name"] == "Q-1")
    assert held["executor"]["is_held"] is True and held["executor"]["state"] == "queued"
    assert rows(made.project, "--hide-queued") == []
    lines = made.project.ob("queue", "status").out.splitlines()
    assert lines[0].split() == ["Task", "Name", "Created", "Status", "Priority"]
    assert [line.split()[1] for line in lines[1:3]] == ["Q-2", "Q-1"] and lines[2].split()[-2:] == ["Held", "3"]


def test_a_higher_priority_comes_first(made: MadeHistory) -> None:
    (_, second) = made.queue("Q", 2)
    change(made, second, priority=1)
    names = [task["name"] for task in made.project.ob("queue", "status", "--json").json["tasks"]]
    assert names == ["Q-2", "Q-1"]


def test_what_is_remembered_of_tasks_and_attempts_is_not_taken_for_their_commits(made: MadeHistory) -> None:
    """A task holds metrics that were measured before it: they are not its own, but its commit has them."""
    made.project.write("metrics.json", '{"acc": 0.25}')
    made.project.git("add", "-f", "metrics.json")
    made.project.git("commit", "-q", "-m", "measured")
    made = MadeHistory(made.project)
    (task,) = made.queue("t")
    made.fail("t", task, keeps=True)
    made.flush()
    for _ in range(2):
        (row,) = rows(made.project)
        assert row["revs"][0]["data"]["metrics"] == {}
        diff = made.project.ob("exp", "show", "--json", "--rev", task[1]).json
        assert diff[1]["data"]["metrics"] == {"metrics.json": {"data": {"acc": 0.25}}}


@pytest.mark.parametrize("n", [30])
def test_every_task_has_one_row(tmp_path: Path, n: int) -> None:
    made = mixed(tmp_path, make_project(tmp_path / "p"), n)
    shown = rows(made.project)
    assert sorted(row["name"] for row in shown) == sorted(f"Q-{number}" for number in range(1, n + 1))
    assert rows(made.project) == shown, "and again from memory"
    (made.project.root / ".dvc/tmp/ob/rows.jsonl").unlink()
    (made.project.root / ".dvc/tmp/ob/queue/index.sqlite").unlink()
    assert rows(made.project) == shown


HEAVY = "dataclasses hydra inspect logging pathlib pathspec ruamel subprocess tomlkit yaml".split()
LATER = (
    "offbranch.queue.task",
    "offbranch.pipeline.load",
    "offbranch.pipeline.execute",
    "offbranch.experiments.underway",
)
SCRIPT = """\
import sys
from offbranch.api.queue_look import queue_status
from offbranch.api.session import make_session
view = queue_status((), make_session(sys.argv[1]))
assert len(view.tasks) == 6
print(*sys.modules, sep="\\n")
"""


def test_status_loads_nothing_heavy_where_the_index_knows(tmp_path: Path) -> None:
    made = mixed(tmp_path, make_project(tmp_path / "p"), 6)
    assert made.project.ob("queue", "status").code == 0
    path = ":".join([str(SOURCE), *(each for each in sys.path if each.endswith("site-packages"))])
    env = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-S", "-c", SCRIPT, str(made.project.root)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & {*HEAVY, *LATER}
