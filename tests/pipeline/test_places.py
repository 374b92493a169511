"""Paths that are written in other ways: absolute ones into the project, working directories outside of it."""

from pathlib import Path

import pytest

from offbranch.api.stages import pipelines
from projects import TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", {"in.txt": "in\n", "params.yaml": "a: 1\n", "w/p.yaml": "k: 2\n"})


def write(project: TestProject, text: str) -> None:
    project.write("dvc.yaml", text.replace("<ROOT>", str(project.root)))


def test_an_absolute_path_into_the_project_is_recorded_as_seen_from_the_stage(project: TestProject) -> None:
    write(
        project,
        "stages:\n  s:\n    wdir: <ROOT>/w\n    cmd: cp <ROOT>/in.txt o\n    deps: [<ROOT>/in.txt]\n"
        "    params: [<ROOT>/params.yaml: [a], <ROOT>/w/p.yaml: [k]]\n    outs: [<ROOT>/w/o]\n"
        "  t:\n    cmd: cp w/o t\n    deps: [w/o]\n    outs: [t]\n",
    )
    assert project.ob("repro", "t").code == 0
    lock = project.read("dvc.lock")
    assert str(project.root) not in lock.partition("deps:")[2]
    assert "    - path: ../in.txt\n" in lock
    assert "      ../params.yaml:\n        a: 1\n      p.yaml:\n        k: 2\n" in lock
    assert "    - path: o\n" in lock
    assert project.read("w/.gitignore") == "/o\n"
    assert project.ob("status", "--json").json == {}


def test_a_working_directory_outside_the_project(project: TestProject) -> None:
    """Paths through the name of the project's directory lead into it."""
    write(
        project,
        "stages:\n  s:\n    wdir: ..\n    cmd: cat p/in.txt x > p/o\n    deps: [p/in.txt, x]\n    outs: [p/o]\n",
    )
    (project.root.parent / "x").write_text("x\n")
    done = project.ob("repro")
    assert done.code == 0, done.err
    assert project.read("o") == "in\nx\n"
    assert project.read(".gitignore") == "/o\n"
    assert project.ob("status", "--json").json == {}
    (project.root.parent / "x").write_text("y\n")
    assert project.ob("status", "--json").json == {
        "s": [{"changed deps": {str(project.root.parent / "x"): "modified"}}]
    }
    write(project, "stages:\n  s:\n    wdir: ..\n    cmd: echo > out\n    outs: [out]\n")
    refused = project.ob("repro")
    assert refused.code == 1
    assert "outside of the project, so it cannot be cached" in refused.err
    assert not (project.root.parent / "out").exists()


def test_a_working_directory_that_is_not_there_is_not_made(project: TestProject) -> None:
    write(project, "stages:\n  s:\n    wdir: nowhere\n    cmd: echo > o\n    outs: [o]\n")
    ended = project.ob("repro")
    assert ended.code == 1
    assert "working directory 'nowhere' does not exist" in ended.err
    assert not project.exists("nowhere")


def test_urls_may_stand_inside_brackets(project: TestProject) -> None:
    """The C parser of ruamel.yaml refuses the colon there, DVC does not."""
    write(project, "stages:\n  s:\n    cmd: echo\n    deps: [in.txt, s3://bucket/data, https://h:8080/x?a=1]\n")
    listed = project.ob("stage", "list")
    assert listed.code == 0, listed.err
    loaded = pipelines(project.session())
    assert [dependency.written for dependency in loaded.stages[0].deps][1:] == [
        "s3://bucket/data",
        "https://h:8080/x?a=1",
    ]
    write(project, "stages:\n  s:\n    cmd: echo\n    deps: [s3://bucket/data, 5]\n")
    assert "dvc.yaml:4:" in project.ob("repro").err
