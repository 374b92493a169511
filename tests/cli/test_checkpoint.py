"""`ob checkpoint`: in the command of a stage, and where no run is there."""

import json
import sys
from pathlib import Path

from asking import chain, mark
from projects import make_project

SCRIPT = f"""\
echo one > model.txt
{sys.executable} -m offbranch checkpoint --step 4 --json > said.json
echo two > model.txt
"""
PIPELINE = "stages: {train: {cmd: sh train.sh, outs: [model.txt, said.json]}}\n"


def test_in_a_stage(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"train.sh": SCRIPT, "dvc.yaml": PIPELINE})
    done = project.ob("exp", "run", "-n", "x")
    assert done.code == 0, done.err
    first, last = chain(project, "x")
    assert mark(project, first) == {"version": 1, "number": 1, "step": 4, "stage": "train", "keep": "", "run": {}}
    assert mark(project, last) is None
    assert json.loads(project.read("said.json")) == {"number": 1}


def test_declined_and_where_no_run_is_there(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"train.sh": SCRIPT, "dvc.yaml": PIPELINE})
    alone = project.ob("checkpoint")
    assert (alone.code, alone.out) == (1, "")
    assert "no experiment runs this command" in alone.err and "ob exp run" in alone.err
    left = project.ob("checkpoint", OFFBRANCH_HANDOFF=str(tmp_path / "gone"))
    assert left.code == 1 and "is not there any more" in left.err


def test_where_none_are_made_the_command_goes_on(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", {"train.sh": f"set -e\n{SCRIPT}", "dvc.yaml": PIPELINE})
    for words in (("exp", "run", "-n", "x", "--no-checkpoint"), ("repro", "-f")):
        done = project.ob(*words)
        assert done.code == 0, done.err
        assert "no checkpoint: only 'ob exp run' makes them" in done.out + done.err
        assert json.loads(project.read("said.json")) == {"number": None}
        assert project.read("model.txt") == "two\n"
    assert len(chain(project, "x")) == 1
