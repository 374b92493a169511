"""`offbranch.api` as a program sees it."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import offbranch
from offbranch import api
from offbranch.api import PUBLIC
from projects import make_project

FUNCTIONS = [name for name in PUBLIC if name[0].islower()]


def test_every_name_is_there_typed_and_documented() -> None:
    for name in PUBLIC:
        found = getattr(api, name)
        assert inspect.getdoc(found), name
    for name in FUNCTIONS:
        function = getattr(api, name)
        hints = get_type_hints(function)
        assert "return" in hints, name
        assert set(inspect.signature(function).parameters) <= hints.keys(), name
    assert dir(api) == sorted(PUBLIC)


def test_the_stub_for_type_checkers_has_the_same_names() -> None:
    stub = ast.parse(Path(api.__file__).with_suffix(".pyi").read_text())
    named = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in ast.walk(stub)
        if isinstance(node, ast.ImportFrom) and node.module != "collections.abc"
        for alias in node.names
    }
    assert named == dict(PUBLIC)


def test_importing_the_package_loads_nothing_until_it_is_used() -> None:
    code = "import sys, offbranch; before = len(sys.modules); offbranch.api.exp_run; print(before < len(sys.modules))"
    source = str(Path(offbranch.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": source}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
    with pytest.raises(AttributeError, match="nosuch"):
        _ = offbranch.nosuch
    with pytest.raises(AttributeError, match="nosuch"):
        _ = api.nosuch


def test_a_program_runs_and_compares_experiments(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    session = offbranch.api.make_session(str(project.root))
    for lr in ("0.3", "0.4"):
        report = offbranch.api.exp_run(offbranch.api.RunRequest(overrides=(f"lr={lr}",), name=f"lr-{lr}"), session)
        assert report.experiment is not None
    states = offbranch.api.exp_states(offbranch.api.ShowOptions(), start=session.start, environment=session.environment)
    names = [chain["name"] for state in states for chain in state["experiments"] or ()]
    assert sorted(names) == ["lr-0.3", "lr-0.4"]
