"""Reading the parameters and metrics of revisions: targets, stages, experiments, and what cannot be read."""

import random
from pathlib import Path
from typing import Any

import pytest

from offbranch.api.exp import RunRequest, run
from offbranch.api.params import (
    ValuesDiffRequest,
    ValuesRequest,
    diff_metrics,
    diff_params,
    show_metrics,
    show_params,
)
from offbranch.base.errors import NoProjectError, NotFoundError, UsageError
from offbranch.experiments.values import RevisionValues
from offbranch.experiments.values_revisions import Revisions
from projects import SIMPLE, TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    made = make_project(tmp_path / "p")
    run(RunRequest(name="one", overrides=("lr=0.5",)), made.session(), rng=random.Random(1))
    return made


def data(values: RevisionValues) -> dict[str, Any]:
    return {path: entry.get("data", "error") for path, entry in values.files.items()}


def metrics(
    project: TestProject, *targets: str, cwd: str = "", lists: bool = False, **revisions: Any
) -> dict[str, Any]:
    request = ValuesRequest(targets=targets, lists=lists, revisions=Revisions(**revisions))
    return {each.name: data(each) for each in show_metrics(request, project.session(cwd=cwd))}


def params(project: TestProject, *targets: str, **more: Any) -> dict[str, Any]:
    return {each.name: data(each) for each in show_params(ValuesRequest(targets=targets, **more), project.session())}


def test_the_workspace_alone_has_no_name(project: TestProject) -> None:
    assert metrics(project) == {"": {"metrics.json": {"acc": 0.5}}}
    assert params(project) == {"": {"params.yaml": {"lr": 0.5, "fail": 0}}}


def test_experiments_are_revisions(project: TestProject) -> None:
    assert metrics(project, revs=("one",)) == {
        "workspace": {"metrics.json": {"acc": 0.5}},
        "one": {"metrics.json": {"acc": 0.5}},
    }
    found = diff_params(ValuesDiffRequest(old="one", new="HEAD"), project.session())
    assert {name: (each.old, each.new) for name, each in found.changes["params.yaml"].items()} == {"lr": (0.5, 0.1)}
    assert (found.old.name, found.new.name) == ("one", "HEAD")


def test_names_of_one_commit_are_joined(project: TestProject) -> None:
    project.git("branch", "also")
    project.git("tag", "v1")
    assert list(metrics(project, all_branches=True, all_tags=True)) == ["workspace", "also,main,v1"]
    assert list(metrics(project, all_commits=True)) == ["workspace", project.git("rev-parse", "HEAD")]


def test_a_workspace_like_its_branch_is_shown_once(project: TestProject) -> None:
    project.commit("ran")
    assert list(metrics(project, all_branches=True)) == ["main"]
    assert list(metrics(project, all_tags=True)) == ["workspace"]
    project.write("metrics.json", "{}")
    assert list(metrics(project, all_branches=True)) == ["workspace", "main"]


def test_lists_only_when_asked_for(project: TestProject) -> None:
    project.write("metrics.json", '{"curve": [1, 2], "n": null, "acc": 1}')
    assert metrics(project) == {"": {"metrics.json": {"acc": 1}}}
    assert metrics(project, lists=True) == {"": {"metrics.json": {"curve": [1, 2], "n": None, "acc": 1}}}
    project.commit("list")
    project.write("metrics.json", '{"curve": [1, 3], "acc": 1}')
    assert diff_metrics(ValuesDiffRequest(), project.session()).changes == {}
    found = diff_metrics(ValuesDiffRequest(lists=True), project.session()).changes["metrics.json"]
    assert (found["curve"].old, found["curve"].new) == ([1, 2], [1, 3])


def test_targets_are_seen_from_where_the_user_is(project: TestProject) -> None:
    project.write("sub/deep/x.json", '{"x": 1}')
    project.write("sub/dvc.yaml", "stages: {}\n")
    project.write("sub/data.dvc", "outs: []\n")
    assert metrics(project, "deep/x.json", "../metrics.json", cwd="sub") == {
        "": {"deep/x.json": {"x": 1}, "../metrics.json": {"acc": 0.5}}
    }
    assert metrics(project, "sub") == {"": {"sub/deep/x.json": {"x": 1}}}
    assert metrics(project, "sub/dvc.yaml") == {"": {"sub/dvc.yaml": {}}}
    assert list(metrics(project, cwd="sub")[""]) == ["../metrics.json"]
    with pytest.raises(UsageError, match="outside of the project"):
        metrics(project, "../../elsewhere.json")


def test_a_target_is_read_whatever_is_wrong_with_the_pipelines(project: TestProject) -> None:
    project.write("dvc.yaml", "stages: [")
    (broken,) = show_metrics(ValuesRequest(), project.session())
    assert broken.error is not None and broken.files == {}
    assert metrics(project, "metrics.json", "nope.json") == {"": {"metrics.json": {"acc": 0.5}, "nope.json": "error"}}
    found = diff_metrics(ValuesDiffRequest(old="one"), project.session())
    assert found.new.error is not None
    assert found.changes["metrics.json"]["acc"].old == 0.5


def test_one_bad_file_hides_no_other(tmp_path: Path) -> None:
    files = {**SIMPLE, "dvc.yaml": "metrics: [a.json, b.json]\nparams: [p.yaml, q.toml]\n"}
    project = make_project(
        tmp_path / "q", {**files, "a.json": "{", "b.json": '{"x": 1}', "p.yaml": "a: [", "q.toml": "k = 1"}
    )
    assert metrics(project) == {"": {"a.json": "error", "b.json": {"x": 1}}}
    assert params(project)[""]["q.toml"] == {"k": 1}


def test_parameters_of_stages(tmp_path: Path) -> None:
    pipeline = (
        "stages:\n  a:\n    cmd: 'true'\n    params: [x.y]\n  b:\n    cmd: 'true'\n    params: [z, {q.json: [k]}]\n"
        "  c:\n    cmd: 'true'\n    params: [{r.toml: }]\n"
    )
    files = {
        "dvc.yaml": pipeline,
        "params.yaml": "x: {y: 1, w: 2}\nz: 3\nv: 4\n",
        "q.json": '{"k": 5, "j": 6}',
        "r.toml": "m = 7",
    }
    project = make_project(tmp_path / "s", files)
    assert params(project)[""]["params.yaml"] == {"x": {"y": 1, "w": 2}, "z": 3, "v": 4}
    everything = {"params.yaml": {"x": {"y": 1}, "z": 3}, "q.json": {"k": 5}, "r.toml": {"m": 7}}
    assert params(project, deps=True) == {"": everything}
    assert params(project, stages=("a",)) == {"": {"params.yaml": {"x": {"y": 1}}}}
    assert params(project, stages=("b", "dvc.yaml:c")) == {
        "": {"params.yaml": {"z": 3}, "q.json": {"k": 5}, "r.toml": {"m": 7}}
    }
    assert params(project, "q.json", stages=("b",)) == {"": {"q.json": {"k": 5}}}
    assert params(project, "params.yaml", stages=("a",), revisions=Revisions(revs=("HEAD",)))["HEAD"] == {
        "params.yaml": {"x": {"y": 1}}
    }
    (found,) = show_params(ValuesRequest(stages=("bb",)), project.session())
    assert isinstance(found.error, NotFoundError) and found.error.hint == "did you mean 'b'?"


def test_values_kept_in_the_cache_are_read_at_any_revision(tmp_path: Path) -> None:
    pipeline = "stages:\n  s:\n    cmd: 'mkdir -p d && cp params.yaml d/m.yaml'\n    params: [lr]\n    metrics: [d]\n"
    project = make_project(tmp_path / "c", {"dvc.yaml": pipeline, "params.yaml": "lr: 1\n"})
    for name, lr in (("a", "2"), ("b", "3")):
        run(RunRequest(name=name, overrides=(f"lr={lr}",)), project.session(), rng=random.Random(1))
    found = diff_metrics(ValuesDiffRequest(old="a", new="b"), project.session())
    assert found.changes["d/m.yaml"]["lr"].difference == 1
    for target in ("d", "d/m.yaml"):
        found = diff_params(ValuesDiffRequest(old="a", new="b", targets=(target,)), project.session())
        assert found.changes["d/m.yaml"]["lr"].difference == 1


@pytest.mark.parametrize(
    "words", [("metrics", "diff", "on"), ("params", "diff", "main", "on"), ("params", "show", "--rev", "on")]
)
def test_a_revision_that_is_not_there(project: TestProject, words: tuple[str, ...]) -> None:
    done = project.ob(*words)
    assert done.code == 1 and "'on' is neither a Git revision nor an experiment" in done.err
    assert "did you mean 'one'?" in done.err


def test_without_git_only_the_workspace(tmp_path: Path) -> None:
    project = make_project(tmp_path / "n", config="[core]\n    no_scm = true\n")
    assert params(project) == {"": {"params.yaml": {"lr": 0.1, "fail": 0}}}
    with pytest.raises(NoProjectError):
        diff_params(ValuesDiffRequest(), project.session())


def test_the_commands(project: TestProject) -> None:
    assert project.ob("metrics", "show").out == "Path          acc\nmetrics.json  0.5\n"
    assert project.ob("params", "show", "--json").json == {
        "": {"data": {"params.yaml": {"data": {"lr": 0.5, "fail": 0}}}}
    }
    assert project.ob("params", "diff").out == (
        "Path         Param    HEAD    workspace\nparams.yaml  lr       0.1     0.5\n"
    )
    assert project.ob("metrics", "diff", "--csv").out == "Path,Metric,HEAD,workspace,Change\nmetrics.json,acc,,0.5,\n"
    assert project.ob("params", "diff", "one").err == "no parameter differs between one and workspace\n"
    project.write("metrics.json", "{")
    done = project.ob("metrics", "show")
    assert (done.code, done.out) == (0, "Path\nmetrics.json\n")
    assert done.err.startswith("warning: cannot read 'metrics.json': ")
    assert project.ob("metrics", "show", "--json", "--csv").code == 2
