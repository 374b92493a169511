"""What was once lost or shown otherwise than by DVC 3.67.1 (tests/interop compares with it)."""

import os
from pathlib import Path

from offbranch.base.environ import read_environment
from offbranch.base.paths import AbsPath
from offbranch.experiments.revision import read_directory
from offbranch.project import open_project
from projects import make_project


def test_a_failure_puts_back_what_only_the_workspace_held(tmp_path: Path) -> None:
    pipeline = (
        "stages:\n  s:\n    cmd: rm -f kept tool && exit 3\n    params: [lr]\n"
        "    outs:\n    - kept: {cache: false}\n    - tool: {cache: false}\n"
    )
    project = make_project(tmp_path / "p", {"dvc.yaml": pipeline, "params.yaml": "lr: 1\n"})
    project.write("kept", "untracked\n")
    project.write("tool", "#!/bin/sh\n").chmod(0o755)
    assert project.ob("exp", "run", "-S", "lr=2").code == 1
    assert project.read("kept") == "untracked\n"
    assert project.read("tool") == "#!/bin/sh\n"
    assert os.access(project.root / "tool", os.X_OK)


def test_files_that_only_templates_read_show_what_is_read(tmp_path: Path) -> None:
    pipeline = (
        "vars: [seen.yaml, used.yaml]\nstages:\n  s:\n    cmd: echo ${deep.x} ${k}\n    params: [used.yaml: [other]]\n"
    )
    project = make_project(
        tmp_path / "p",
        {"dvc.yaml": pipeline, "seen.yaml": "deep: {x: 1, y: 2}\nz: 3\n", "used.yaml": "k: 1\nother: 2\n"},
    )
    here = open_project(AbsPath(str(project.root)), read_environment())
    for param_deps in (False, True):
        found = read_directory(here.reader, ignores=here.ignore.ignores, cache=here.cache, param_deps=param_deps)
        assert found.params == {"used.yaml": {"data": {"other": 2}}, "seen.yaml": {"data": {"deep.x": 1}}}
    here.state.close()
