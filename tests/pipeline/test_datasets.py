"""Datasets: `ds://<name>` stands for the version that dvc.lock records of it."""

from pathlib import Path

import pytest

from projects import TestProject, make_project

SPEC = "datasets:\n- {name: d, type: dvc, url: https://example.com/r, path: data}\n"
STAGES = "stages:\n  s:\n    cmd: echo s > s\n    deps: ['ds://d']\n    outs: [s]\n"
ENTRY = "- name: d\n  url: https://example.com/r\n  type: dvc\n  path: data\n  rev_lock: {rev}\n"
LOCK = f"schema: '2.0'\ndatasets:\n{ENTRY.format(rev='a' * 40)}stages: {{}}\n"


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", {"dvc.yaml": SPEC + STAGES, "dvc.lock": LOCK})


def test_the_recorded_version_is_what_a_stage_depends_on(project: TestProject) -> None:
    assert project.ob("repro").code == 0
    lock = project.read("dvc.lock")
    assert lock.startswith(LOCK.removesuffix("stages: {}\n"))
    assert "    - path: ds://d\n      dataset:\n        name: d\n        url: https://example.com/r\n" in lock
    assert f"        rev_lock: {'a' * 40}\n" in lock
    assert project.ob("status", "--json").json == {}
    assert "didn't change" in project.ob("repro").out
    project.write("dvc.lock", lock.replace(f"  rev_lock: {'a' * 40}\nstages", f"  rev_lock: {'b' * 40}\nstages"))
    assert project.ob("status", "--json").json == {"s": [{"changed deps": {"ds://d": "modified"}}]}
    assert "because dependency ds://d changed" in project.ob("repro").out


def test_a_stage_in_another_directory_may_use_it(project: TestProject) -> None:
    project.write("sub/dvc.yaml", STAGES)
    assert project.ob("repro", "sub/dvc.yaml").code == 0
    assert "rev_lock" in project.read("sub/dvc.lock")


@pytest.mark.parametrize(
    "change",
    [
        ("path: data}", "path: other}"),
        ("type: dvc", "type: url"),
        ("type: dvc", "type: bogus"),
        ("path: data}", "path: data, rev: v1}"),
    ],
)
def test_what_is_not_recorded_as_it_is_written_now_is_not_in_sync(
    project: TestProject, change: tuple[str, str]
) -> None:
    project.write("dvc.yaml", project.read("dvc.yaml").replace(*change))
    assert project.ob("status", "--json").json["s"][0] == {"changed deps": {"ds://d": "not in sync"}}
    ended = project.ob("repro")
    assert ended.code == 1
    assert "records no version of the dataset 'ds://d'" in ended.err
    assert "dvc dataset update d" in ended.err
    assert project.read("dvc.lock") == LOCK


def test_without_a_record_and_without_a_definition(project: TestProject) -> None:
    (project.root / "dvc.lock").unlink()
    assert "records no version" in project.ob("repro").err
    project.write("dvc.yaml", STAGES)
    ended = project.ob("repro")
    assert ended.code == 1
    assert "no dvc.yaml has a dataset of that name" in ended.err
    assert "Traceback" not in ended.err


def test_one_name_stands_for_one_dataset(project: TestProject) -> None:
    project.write("sub/dvc.yaml", SPEC)
    ended = project.ob("repro", "-P")
    assert ended.code == 1
    assert "'d' is defined twice, in 'dvc.yaml' and 'sub/dvc.yaml'" in ended.err.replace("and in", "and")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("datasets: {d: 1}\n", "datasets"),
        ("datasets: [5]\n", "datasets[0]"),
        ("datasets: [{type: url}]\n", "datasets[0]"),
        ("datasets: [{name: d, url: 5}]\n", "datasets[0].url"),
    ],
)
def test_malformed_ones_are_refused_with_their_place(tmp_path: Path, text: str, key: str) -> None:
    project = make_project(tmp_path / "p", {"dvc.yaml": text})
    ended = project.ob("repro")
    assert ended.code == 1
    assert f" {key}: " in ended.err
    assert "dvc.yaml:1:" in ended.err
