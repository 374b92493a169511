"""What `exp show` says of attempts that did not become experiments: the truth, and nothing of earlier runs."""

from pathlib import Path
from typing import Any

import pytest

from asking import PIPELINE, training
from offbranch.api.exp import RunRequest, run
from offbranch.base.errors import StageFailedError
from projects import TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    run(RunRequest(overrides=("lr=0.2",), name="good"), made.session())
    return made


def shown(project: TestProject) -> dict[str, Any]:
    (baseline,) = [row for row in project.ob("exp", "show", "--json").json if row["rev"] != "workspace"]
    return {row["name"]: row for row in baseline["experiments"]}


def test_a_failed_attempt_has_its_own_parameters_and_only_the_metrics_it_wrote(project: TestProject) -> None:
    with pytest.raises(StageFailedError):
        run(RunRequest(overrides=("lr=0.9", "fail=3"), name="late"), project.session())
    (state,) = shown(project)["late"]["revs"]
    assert state["data"]["params"]["params.yaml"]["data"] == {"lr": 0.9, "fail": 3}
    assert state["data"]["metrics"] == {"metrics.json": {"data": {"acc": 0.9}}}
    assert "exited with 3" in state["error"]["msg"]
    executor = shown(project)["late"]["executor"]
    assert (executor["state"], executor["name"], executor["local"]["returncode"]) == ("failed", "workspace", 3)
    assert Path(executor["local"]["log"]).exists()


def test_metrics_of_an_earlier_run_are_not_shown_as_its_own(project: TestProject) -> None:
    project.write("train.sh", "exit 5\n")
    with pytest.raises(StageFailedError):
        run(RunRequest(overrides=("lr=0.9",), name="early"), project.session())
    (state,) = shown(project)["early"]["revs"]
    assert state["data"]["metrics"] == {}
    assert project.read("metrics.json") == '{"acc": 0.2}\n'


def test_failed_ones_can_be_hidden_and_removed(project: TestProject) -> None:
    with pytest.raises(StageFailedError):
        run(RunRequest(overrides=("fail=3",), name="bad"), project.session())
    assert set(shown(project)) == {"good", "bad"}
    assert "bad" not in project.ob("exp", "show", "--hide-failed").out
    assert "bad" not in project.ob("exp", "list", "-A").out
    assert project.ob("exp", "remove", "bad").code == 0
    assert set(shown(project)) == {"good"}


STALE = """
for step in range(3):
    open("model.bin", "w").write(f"model {step}")
    metrics(acc=step)
    live("scores.json")
    open("scores.json", "w").write(json.dumps({"f1": step}))
    assert ask(step)["is_taken"]
if os.environ.get("END") == "kill":
    while state()["made"] < 3:
        time.sleep(0.01)
    parent = os.getppid()
    with open(f"/proc/{parent}/stat") as file:
        above = int(file.read().rpartition(")")[2].split()[1])
    with open(f"/proc/{parent}/cmdline") as file:
        is_shell = file.read().startswith("/bin/sh")
    os.kill(above if is_shell else parent, 9)
"""


@pytest.mark.parametrize("where", [("--temp",), ()])
def test_a_killed_run_shows_its_last_checkpoint_and_not_what_it_began_with(
    tmp_path: Path, where: tuple[str, ...]
) -> None:
    project = training(tmp_path / "p", STALE, {"dvc.yaml": f"metrics: [scores.json]\n{PIPELINE}"})
    project.write("scores.json", '{"f1": 77}')
    assert project.ob("exp", "run", "-n", "x", *where, END="kill").code == -9
    if where:
        assert project.ob("exp", "run", "-n", "other", "--temp").code == 0  # takes over the copy, and records the end
    for _ in range(2):
        shown = project.ob("exp", "show", "--json").json[1]["experiments"]
        (found,) = (each for each in shown if each["name"] == "x")
        assert found["n_checkpoints"] == 3
        assert found["revs"][0]["data"]["metrics"]["scores.json"]["data"] == {"f1": 2}
        assert project.ob("exp", "tag", "x", "t").code == 0  # an action that writes
    attempt = project.git("for-each-ref", "--format=%(objectname)", "refs/ob/attempts").split()[0]
    assert project.file_at(attempt, "scores.json") == '{"f1": 2}'
