"""`ob queue remove`, `retry`, `hold`, `release`, `priority`, `import` and `ob exp clean` from the command line."""

from pathlib import Path
from typing import Any

import pytest

from cli_runs import Ob, Ran
from peer_queue import put, take
from projects import TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def queue(ob: Ob, project: TestProject, *words: str) -> Ran:
    done = ob("exp", "run", "--queue", *words, cwd=project.root)
    assert done.code == 0, done.err
    return done


def names(found: Any) -> list[str]:
    return [each["name"] for each in found]


def test_what_is_said_when_queueing_is_in_the_record(ob: Ob, project: TestProject) -> None:
    words = ("--priority", "3", "--timeout", "10m", "--retries", "2", "--resources", "gpus=1,memory=8G", "--hold")
    (task,) = queue(ob, project, "-n", "a", *words, "--json").json
    assert {key: task[key] for key in ("priority", "is_held", "timeout_s", "retries", "round", "resources")} == {
        "priority": 3,
        "is_held": True,
        "timeout_s": 600.0,
        "retries": 2,
        "round": 1,
        "resources": {"gpus": 1, "cpus": None, "memory_bytes": 8 << 30},
    }
    assert "ob queue release" in queue(ob, project, "-n", "b", "--hold").err


def test_what_is_about_tasks_needs_queue(ob: Ob, project: TestProject) -> None:
    done = ob("exp", "run", "--timeout", "1h", "--hold", cwd=project.root)
    assert done.code == 2 and "--timeout and --hold" in done.err and "add --queue" in done.err
    done = ob("exp", "run", "--run-all", "--priority", "1", cwd=project.root)
    assert done.code == 2 and "--priority" in done.err
    for words in (("--timeout", "soon"), ("--resources", "gpu=1"), ("--retries", "-1"), ("--priority", "high")):
        done = ob("exp", "run", "--queue", *words, cwd=project.root)
        assert done.code == 2 and "hint" in done.err, words
    assert project.git("for-each-ref", "refs/ob") == ""


def test_hold_release_and_priority(ob: Ob, project: TestProject) -> None:
    queue(ob, project, "-n", "P", "-S", "lr=0.2,0.3")
    assert ob("queue", "hold", "P-1", cwd=project.root).out == "Held: P-1\n"
    assert ob("queue", "hold", "P-*", cwd=project.root).out == "Held: P-2\nAs they were: P-1\n"
    assert ob("queue", "hold", "--all", cwd=project.root).out == "No tasks to change in the queue.\n"
    assert ob("exp", "run", "--run-all", cwd=project.root).code == 0 and project.exps() == {}
    released = ob("queue", "release", "--all", "--json", cwd=project.root).json
    assert names(released) == ["P-1", "P-2"] and [each["is_held"] for each in released] == [False, False]
    assert ob("queue", "priority", "-5", "P-1", cwd=project.root).out == "Priority -5: P-1\n"
    assert names(ob("queue", "priority", "7", "--all", "--json", cwd=project.root).json) == ["P-1", "P-2"]
    for command in (("hold",), ("release",), ("priority", "1")):
        done = ob("queue", *command, cwd=project.root)
        assert done.code == 2 and "give either names of tasks, or --all" in done.err
        done = ob("queue", *command, "P-1", "--all", cwd=project.root)
        assert done.code == 2
        done = ob("queue", *command, "P-7", cwd=project.root)
        assert done.code == 1 and "'P-7' is not a valid experiment name" in done.err and "P-1" in done.err


def test_remove_and_retry(ob: Ob, project: TestProject) -> None:
    queue(ob, project, "-n", "F", "-S", "fail=3,4")
    queue(ob, project, "-n", "good")
    assert ob("exp", "run", "--run-all", cwd=project.root).code == 1
    assert ob("queue", "retry", "--all", "--dry-run", cwd=project.root).out == "Would queue again: F-1, F-2\n"
    (again,) = ob("queue", "retry", "F-1", "--timeout", "30", "--json", cwd=project.root).json
    assert (again["name"], again["round"], again["timeout_s"]) == ("F-1", 2, 30.0) and again["rev"]
    assert ob("queue", "retry", "--failed", "--hold", cwd=project.root).out == "Queued again: F-2\n"
    assert ob("queue", "retry", "--failed", cwd=project.root).out == "No tasks have failed.\n"
    done = ob("queue", "retry", "F-1", cwd=project.root)
    assert done.code == 1 and "waiting in the queue already" in done.err
    would = ob("queue", "remove", "--all", "--dry-run", "--json", cwd=project.root).json
    assert [(each["name"], each["state"]) for each in would] == [
        ("F-1", "queued"),
        ("F-2", "queued"),
        ("good", "succeeded"),
    ]
    assert ob("queue", "rm", "--success", cwd=project.root).out == "Removed tasks in queue: good\n"
    assert ob("queue", "remove", "F-*", cwd=project.root).out == "Removed tasks in queue: F-1, F-2\n"
    assert ob("queue", "remove", "--all", cwd=project.root).out == "No tasks found named []\n"
    assert set(project.exps()) == {"good"} and project.git("for-each-ref", "refs/ob") == ""


def test_very_many_names_are_cut(ob: Ob, project: TestProject) -> None:
    queue(ob, project, "-n", "P", "-S", "lr=range(0,30)")
    out = ob("queue", "remove", "--queued", cwd=project.root).out
    assert out == "Removed tasks in queue: P-1, P-2, P-3, … 24 more …, P-28, P-29, P-30\n"


def test_import_and_clean(ob: Ob, project: TestProject) -> None:
    for name in ("a", "b", "c"):
        put(project, name)
    put(project, "bad", pickled=b"cos\nsystem\n(S'true'\ntR.")
    assert ob("queue", "import", cwd=project.root).code == 2
    assert ob("queue", "import", "a", "--all", cwd=project.root).code == 2
    assert ob("queue", "import", "a", "--dry-run", cwd=project.root).out == "Would take over from DVC's queue: a\n"
    done = ob("queue", "import", "a", "bad", cwd=project.root)
    assert done.code == 1 and "more than plain values" in done.err and "nothing was taken" in done.err
    done = ob("queue", "import", "b", "--json", "--priority", "2", cwd=project.root)
    assert [(each["name"], each["priority"]) for each in done.json["imported"]] == [("b", 2)]
    done = ob("queue", "import", "--all", cwd=project.root)
    assert done.code == 1 and done.out == "Took over from DVC's queue: a, c\n" and "'bad' stays with DVC" in done.err
    done = ob("queue", "remove", "bad", cwd=project.root)
    assert done.code == 1 and "a task of DVC's queue" in done.err
    done = ob("queue", "wait", "bad", "--timeout", "0", cwd=project.root)
    assert "'bad' waits in DVC's queue, and none of its tasks runs" in done.err and "dvc queue start" in done.err
    take(project, "bad", run={"status": 2})
    done = ob("queue", "kill", "bad", cwd=project.root)
    assert done.code == 1 and "hint: only DVC stops it: dvc queue kill bad" in done.err
    cleaned = ob("exp", "clean", cwd=project.root)
    assert cleaned.code == 0 and cleaned.out == "Removed 0 control messages and 0 stale files.\n"
    assert ob("exp", "clean", "--dry-run", "--json", cwd=project.root).json == {"messages": [], "files": []}


def test_names_are_completed(ob: Ob, project: TestProject) -> None:
    put(project, "theirs")
    queue(ob, project, "-n", "bad", "-S", "fail=3")
    ob("exp", "run", "--run-all", cwd=project.root)
    queue(ob, project, "-n", "waits")

    def completed(*words: str) -> list[str]:
        return project.ob("__complete", str(len(words) - 1), *words).out.split()

    assert completed("queue", "hold", "") == ["waits"]
    assert completed("queue", "start", "") == ["waits"]
    assert completed("queue", "kill", "") == []
    assert completed("queue", "retry", "") == ["bad"]
    assert set(completed("queue", "remove", "")) == {"bad", "waits"}
    assert completed("queue", "priority", "3", "") == ["waits"]
    assert completed("queue", "import", "t") == ["theirs"]


def test_a_lock_that_a_killed_git_left_is_named_with_the_way_out(ob: Ob, project: TestProject) -> None:
    for name in ("a", "b"):
        queue(ob, project, "-n", name)
    project.git("pack-refs", "--all")
    lock = project.root / ".git" / "packed-refs.lock"
    lock.touch()
    way_out = f"or was killed and left this lock; once none is: rm '{lock}'"
    assert ob("queue", "status", cwd=project.root).code == 0
    assert ob("queue", "hold", "a", cwd=project.root).code == 0
    for words in (("queue", "remove", "a"), ("exp", "remove", "--queue"), ("exp", "run", "--queue", "-f", "-n", "a")):
        done = ob(*words, cwd=project.root)
        assert done.code == 1 and "Unable to create" in done.err and way_out in done.err, words
    lock.unlink()
    assert names(ob("queue", "status", "--json", cwd=project.root).json["tasks"]) == ["b", "a"]
    assert ob("queue", "remove", "a", cwd=project.root).code == 0
