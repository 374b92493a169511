"""Which states are shown, in which order, and that nothing disappears."""

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from offbranch.api.exp import RunRequest, run
from offbranch.api.show import exp_show, exp_table
from offbranch.base.environ import read_environment
from offbranch.base.errors import GitError, NoProjectError, NotFoundError, OffbranchError
from offbranch.base.events import Progressed
from offbranch.base.paths import AbsPath
from offbranch.views.options import ShowOptions
from offbranch.views.row_cache import FILE
from projects import Recorder, TestProject, make_project


def show(root: Path, options: ShowOptions | None = None) -> tuple[dict[str, Any], ...]:
    return exp_show(options or ShowOptions(), start=AbsPath(str(root)), environment=read_environment())


def names(state: dict[str, Any]) -> list[str]:
    return [each["name"] for each in state["experiments"] or ()]


def baselines(states: tuple[dict[str, Any], ...]) -> list[str | None]:
    return [state["name"] for state in states if state["rev"] != "workspace"]


def run_one(project: TestProject, name: str, *overrides: str, temporary: bool = False) -> None:
    request = RunRequest(name=name, overrides=overrides, temporary=temporary)
    run(request, project.session(), rng=random.Random(1))


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p")


def test_baselines_of_branches_tags_and_history(sample: Path) -> None:
    assert baselines(show(sample)) == ["main"]
    assert baselines(show(sample, ShowOptions(all_tags=True))) == ["v1"]
    assert baselines(show(sample, ShowOptions(revs=("v1", "main")))) == ["v1", "main"]
    assert baselines(show(sample, ShowOptions(num=-1))) == ["main", "v1"]
    assert baselines(show(sample, ShowOptions(revs=("v1",), num=5))) == ["v1"]
    assert baselines(show(sample, ShowOptions(all_branches=True, all_tags=True))) == ["main", "v1"]


def test_a_detached_head_has_the_name_of_a_tag_else_of_a_branch(sample: Path) -> None:
    project = TestProject(sample)
    project.git("checkout", "-q", "--detach")
    assert baselines(show(sample, ShowOptions(num=2))) == ["main", "v1"]
    project.git("branch", "-D", "main")
    assert baselines(show(sample)) == [None]


def test_experiments_of_a_baseline_that_no_branch_reaches_are_listed_with_all(sample: Path) -> None:
    project = TestProject(sample)
    project.git("reset", "-q", "--hard", "v1")
    states = show(sample, ShowOptions(all_commits=True))
    assert baselines(states) == ["main", None]
    assert names(states[1]) == ["early"]
    assert names(states[2]) == ["second", "steps", "first", "broken"]


def test_a_chain_is_listed_from_its_tip_down_to_the_baseline(sample: Path) -> None:
    state = show(sample)[1]
    chain = next(each for each in state["experiments"] if each["name"] == "steps")["revs"]
    assert [rev["name"] for rev in chain] == ["steps", None]
    assert [rev["data"]["metrics"]["metrics.json"]["data"]["acc"] for rev in chain] == [0.85, 0.8]


def test_a_revision_that_cannot_be_understood_says_why_and_hides_nothing(sample: Path) -> None:
    project = TestProject(sample)
    project.write("dvc.yaml", "stages: [\n")
    broken = project.commit("broken")
    states = show(sample, ShowOptions(num=2))
    assert [state["data"] is None for state in states] == [True, True, False]
    assert states[1]["rev"] == broken
    assert states[1]["error"]["type"] == "BadInputError"
    assert "dvc.yaml" in states[1]["error"]["msg"]
    assert names(states[2]) == ["second", "steps", "first", "broken"]


def test_an_experiment_whose_commit_is_gone_is_shown_with_its_error(sample: Path) -> None:
    commit = TestProject(sample).exps()["first"]
    (sample / ".git/objects" / commit[:2] / commit[2:]).unlink()
    experiments = show(sample)[1]["experiments"]
    assert [(each["name"], each["revs"][0]["data"] is None) for each in experiments] == [
        ("second", False),
        ("steps", False),
        ("broken", False),
        ("first", True),
    ]
    assert commit in experiments[-1]["revs"][0]["error"]["msg"]


def test_a_failed_attempt_shows_its_parameters_and_only_the_metrics_it_wrote(project: TestProject) -> None:
    project.write("old.json", '{"old": 1}\n')
    project.write("dvc.yaml", project.read("dvc.yaml") + "metrics:\n- old.json\n")
    project.commit()
    run_one(project, "good", "lr=0.5")
    with pytest.raises(OffbranchError):
        run_one(project, "bad", "lr=0.7", "fail=3")
    experiments = show(project.root)[1]["experiments"]
    assert [each["name"] for each in experiments] == ["good", "bad"]
    good, bad = experiments
    assert good["executor"] is None
    assert good["revs"][0]["data"]["metrics"].keys() == {"metrics.json", "old.json"}
    tip = bad["revs"][0]
    assert tip["data"]["params"]["params.yaml"]["data"] == {"lr": 0.7, "fail": 3}
    assert tip["data"]["metrics"] == {"metrics.json": {"data": {"acc": 0.7}}}
    assert tip["error"]["type"] == ""
    assert "exited with 3" in tip["error"]["msg"]
    executor = bad["executor"]
    assert (executor["state"], executor["name"], executor["local"]["returncode"]) == ("failed", "workspace", 3)
    assert "model" not in Path(executor["local"]["log"]).read_text()
    assert tip["rev"] == project.git("rev-parse", f"refs/ob/attempts/{executor['attempt_id']}")
    assert names(show(project.root, ShowOptions(hide_failed=True))[1]) == ["good"]


@pytest.mark.parametrize(("where", "executor_name"), [((), "workspace"), (("--temp",), "tempdir")])
def test_a_running_attempt_is_read_where_it_runs(
    project: TestProject, where: tuple[str, ...], executor_name: str
) -> None:
    """The stage itself looks at what is shown of it while it runs."""
    project.write(
        "train.sh",
        'echo "{\\"acc\\": 0.25}" > metrics.json\n'
        'cd "$DVC_ROOT" && "$PYTHON" -m offbranch exp show --json > "$OUT" && cd - && echo m > model.txt\n',
    )
    project.commit()
    out = project.root.parent / "shown.json"
    done = project.ob("exp", "run", "-n", "live", "-S", "lr=0.9", *where, PYTHON=sys.executable, OUT=str(out))
    assert done.code == 0, done.err
    (running,) = json.loads(out.read_text())[1]["experiments"]
    executor, (tip,) = running["executor"], running["revs"]
    assert (running["name"], executor["state"], executor["name"]) == ("live", "running", executor_name)
    assert executor["local"]["pid"] > 0
    assert executor["local"]["returncode"] is None
    assert tip["error"] is None
    assert tip["data"]["metrics"]["metrics.json"]["data"] == {"acc": 0.25}
    assert tip["data"]["params"]["params.yaml"]["data"]["lr"] == 0.9
    assert (executor["local"]["root"] == str(project.root)) is (not where)
    finished = show(project.root)[1]["experiments"]
    assert [(each["name"], each["executor"]) for each in finished] == [("live", None)]


def test_what_is_remembered_is_used_and_can_be_ignored_or_lost(sample: Path) -> None:
    first = show(sample)
    cache = sample / FILE
    text = cache.read_text()
    cache.write_text(text.replace('"score":9', '"score":7'))
    assert show(sample)[1]["data"]["metrics"]["top.json"]["data"]["score"] == 7
    assert show(sample, ShowOptions(force=True)) == first
    for damaged in ("", "{}\n", "\0\0", text[: len(text) // 2], text.replace('"version": 1', '"version": 0')):
        cache.write_text(damaged)
        assert show(sample) == first
    cache.unlink()
    cache.mkdir()
    assert show(sample) == first


def test_a_revision_with_an_error_is_read_again(sample: Path) -> None:
    show(sample)
    broken = TestProject(sample).exps()["broken"]
    lines = (sample / FILE).read_text().split("\n")
    assert not any(line.startswith(broken) for line in lines)
    # The head, the baseline, three experiments of which one has two commits, the list of these, and the line end.
    assert len(lines) == 8


def test_the_parameters_stages_depend_on(sample: Path) -> None:
    state = show(sample, ShowOptions(param_deps=True))[1]
    assert state["data"]["params"] == {
        "params.yaml": {"data": {"lr": 0.1, "net": {"depth": 3, "sizes": [8, 16]}}},
        "other.yaml": {"data": {"a": 1, "c": {"d": 3}}},
        "eval/params.yaml": {"data": {"alpha": 1}},
    }
    assert "name" in show(sample)[1]["data"]["params"]["params.yaml"]["data"]


def test_a_project_in_a_subdirectory_of_its_repository(tmp_path: Path, sample: Path) -> None:
    outer = TestProject(tmp_path / "outer")
    inner = tmp_path / "outer" / "deep" / "project"
    shutil.copytree(sample, inner, ignore=shutil.ignore_patterns(".git"))
    outer.git("init", "-q", "-b", "main")
    outer.commit()
    states, plain = show(inner), show(sample)
    assert states[0]["data"] == plain[0]["data"]
    ours, theirs = states[1]["data"], plain[1]["data"]
    assert {**ours, "rev": 0, "timestamp": 0} == {**theirs, "rev": 0, "timestamp": 0}


def test_hidden_and_queued(sample: Path) -> None:
    assert [state["rev"] == "workspace" for state in show(sample, ShowOptions(hide_workspace=True))] == [False]
    assert show(sample, ShowOptions(queued=True))[1]["experiments"] is None


def test_progress_is_told(sample: Path) -> None:
    recorder = Recorder()
    where = {"start": AbsPath(str(sample)), "environment": read_environment()}
    exp_show(ShowOptions(), **where, reporter=recorder)
    (told,) = recorder.of(Progressed)
    assert (told.done, told.total, told.unit) == (6, 6, "commits")
    recorder.events.clear()
    exp_show(ShowOptions(hide_rewritten=True), **where, reporter=recorder)
    assert [(each.done, each.total) for each in recorder.of(Progressed)] == [(1, 1)], "only the one that has an error"


def test_errors(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nosuch"):
        show(sample, ShowOptions(revs=("nosuch",)))
    with pytest.raises(NoProjectError):
        show(tmp_path)
    (tmp_path / "plain" / ".dvc").mkdir(parents=True)
    with pytest.raises(NoProjectError):
        show(tmp_path / "plain")
    empty = TestProject(tmp_path / "empty")
    (empty.root / ".dvc").mkdir(parents=True)
    empty.git("init", "-q")
    with pytest.raises(GitError):
        show(empty.root)


def test_packed_objects_are_read_the_same(sample: Path) -> None:
    first = show(sample)
    TestProject(sample).git("gc", "-q")
    (sample / FILE).unlink()
    assert show(sample) == first


def test_notes_name_what_failed(sample: Path) -> None:
    table = exp_table(ShowOptions(), start=AbsPath(str(sample)), environment=read_environment())
    assert table.notes == ()
    TestProject(sample).write("dvc.yaml", "stages: [\n")
    table = exp_table(ShowOptions(), start=AbsPath(str(sample)), environment=read_environment())
    assert table.notes[0].startswith("workspace: dvc.yaml:")
