"""Sweeps over parameters that Hydra composes: each trial has a composition of its own, and keeps its sources."""

import json
import random
from pathlib import Path

import pytest

from git_repos import opened
from offbranch.api.exp import RunRequest
from offbranch.api.queue import submit
from offbranch.api.queue_run_all import run_all
from offbranch.base.errors import OffbranchError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.queue.store import read_tasks
from projects import TestProject, make_project

FILES = {
    "conf/config.yaml": "defaults:\n- db: mysql\n- _self_\nlr: 0.1\nname: ${db.user}\n",
    "conf/db/mysql.yaml": "user: root\n",
    "conf/db/pg.yaml": "user: postgres\n",
    "conf/db/pg2.yaml": "user: postgres2\n",
    "params.yaml": "lr: 5\n",
    "dvc.yaml": (
        "stages:\n  s:\n    cmd: cp params.yaml out.txt\n    params: [lr, name]\n"
        "    outs:\n    - out.txt:\n        cache: false\n"
    ),
}
COMPOSED = "db:\n  user: {0}\nlr: {1}\nname: {0}\n"


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", FILES, config="[hydra]\n    enabled = true\n")


def queue(project: TestProject, *overrides: str, **more: object) -> list[str]:
    """Queues, and returns the params.yaml of each task."""
    request = RunRequest(overrides=overrides, **{"name": "q", **more})  # type: ignore[arg-type]
    submit(request, project.session(), rng=random.Random(1))
    tasks = read_tasks(opened(project.root), AbsPath(str(project.root)))
    assert tasks.unreadable == ()
    return [project.file_at(each.commit, "params.yaml") + "\n" for each in tasks.all]


def test_a_sweep_over_groups_and_values(project: TestProject) -> None:
    project.write("conf/db/new.yaml", "user: untracked\n")
    found = queue(project, "db=pg,new", "lr=1,2")
    assert found == [COMPOSED.format(user, lr) for user in ("postgres", "untracked") for lr in (1, 2)]
    assert project.read("params.yaml") == "lr: 5\n", "the workspace stays"
    ends = list(run_all(project.session()))
    assert [end.cause for end in ends] == [""] * 4
    for name, text in zip(("q-1", "q-2", "q-3", "q-4"), found, strict=True):
        commit = project.exps()[name]
        assert project.file_at(commit, "params.yaml") + "\n" == project.file_at(commit, "out.txt") + "\n" == text
        assert project.file_at(commit, "conf/db/new.yaml") == "user: untracked"
        head = project.git("cat-file", "commit", commit).partition("\n\n")[0].splitlines()
        (record,) = [json.loads(line.split(" ", 1)[1]) for line in head if line.startswith("ob-composition ")]
        assert record["overrides"][0] in ("db=pg", "db=new")


def test_a_glob_goes_over_the_options_of_a_group(project: TestProject) -> None:
    assert queue(project, "db=glob(*)") == [COMPOSED.format(user, 0.1) for user in ("root", "postgres", "postgres2")]


def test_a_glob_may_leave_options_out(project: TestProject) -> None:
    assert queue(project, "db=glob(pg*, exclude=*2)", name="g") == [COMPOSED.format("postgres", 0.1)]


def test_what_is_ignored_of_the_configuration_is_in_the_copy_only(project: TestProject) -> None:
    project.write(".gitignore", "/conf/secret.yaml\n")
    project.write("conf/secret.yaml", "password: x\n")
    project.write("dvc.yaml", FILES["dvc.yaml"].replace("cp params.yaml out.txt", "cp conf/secret.yaml out.txt"))
    queue(project, "lr=3")
    assert [end.cause for end in run_all(project.session())] == [""]
    commit = project.exps()["q"]
    assert project.file_at(commit, "out.txt") == "password: x"
    assert "conf/secret.yaml" not in project.git("ls-tree", "-r", "--name-only", commit)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("db=glob(x*)", UsageError, "fits no option of 'db'"),
        ("nope=glob(*)", UsageError, "there is no config group 'nope'"),
        ("db=pg,oracle", OffbranchError, "group 'db' has no 'oracle'"),
    ],
)
def test_mistakes_queue_nothing(project: TestProject, text: str, error: type[OffbranchError], message: str) -> None:
    with pytest.raises(error, match=message):
        queue(project, text)
    assert read_tasks(opened(project.root), AbsPath(str(project.root))).all == ()


def test_without_hydra_the_file_is_patched(project: TestProject) -> None:
    assert queue(project, "lr=1,2", use_hydra=False) == ["lr: 1\n", "lr: 2\n"]
