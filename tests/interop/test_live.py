"""The same training program with DVCLive and with ours: the same files, the same experiment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interop.peers import PeerProject, peer_project, snapshot
from projects import SOURCE, make_project

pytestmark = pytest.mark.interop

PROGRAM = """\
import math, os, sys
if sys.argv[1] == "peer":
    from dvclive import Live
else:
    from offbranch import Live
open("model.txt", "w").write("model")
with Live({arguments}) as live:
    live.log_param("lr", 0.1)
    live.log_params({{"a": {{"b": [1, (2, 3)]}}, "s": "x: y", "n": None, "t": True, "date": "2020-01-01", "long": "w " * 90}})
    for i in range(3):
        live.log_metric("acc", i / 3)
        live.log_metric("train/loss", 1e-7 * i)
        live.log_metric("text", 'a\\tb "c"\\n')
        live.log_metric("nan", math.nan)
        live.log_metric("inf", -math.inf)
        live.log_metric("whole", i, plot=False)
        live.next_step()
    live.log_metric("late", True)
    live.step = 7
    live.log_metric("acc", 2)
    live.next_step()
    live.summary["final/own"] = 9
    live.log_plot("points", [{{"x": 1, "y": 2}}, {{"x": 2, "y": math.nan}}], "x", ["y", "x"], title="T", x_label="X")
    live.log_plot("sub/other.json", [], "x", "y", template=None)
    live.log_artifact("model.txt", type="model", name="My-model", desc="d", labels=["l"], meta={{"k": 1}}, cache=False)
    live.log_artifact("model.txt", copy=True, cache=False, type="model")
    live.log_artifact("model.txt")
"""


@pytest.fixture
def dvc_command() -> str:
    command = os.environ.get("OFFBRANCH_TEST_DVC")
    if not command or not Path(command).with_name("python").exists():
        pytest.skip("OFFBRANCH_TEST_DVC does not name the dvc of a virtual environment")
    return command


def both(tmp_path: Path, dvc_command: str, arguments: str, program: str = PROGRAM) -> tuple[PeerProject, PeerProject]:
    ours = peer_project(make_project(tmp_path / "ours", {"a.txt": "a"}).root, dvc_command)
    theirs = ours.copy(tmp_path / "theirs")
    text = program.format(arguments=arguments)
    for project, who in ((theirs, "peer"), (ours, "ours")):
        (tmp_path / "train.py").write_text(text)
        python = sys.executable if who == "ours" else str(Path(dvc_command).with_name("python"))
        env = {**os.environ, "PYTHONPATH": str(SOURCE) if who == "ours" else ""}
        done = subprocess.run(
            [python, str(tmp_path / "train.py"), who], cwd=project.root, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    return ours, theirs


@pytest.mark.parametrize(
    "arguments",
    [
        "save_dvc_exp=False",
        "'logs/run', dvcyaml='sub/dvc.yaml', save_dvc_exp=False",
        "save_dvc_exp=False, dvcyaml=None",
    ],
)
def test_the_same_files(arguments: str, tmp_path: Path, dvc_command: str) -> None:
    ours, theirs = both(tmp_path, dvc_command, arguments)
    left, right = snapshot(ours), snapshot(theirs)
    assert {path: what[1] for path, what in left.items() if ".dvc/" not in path} == {
        path: what[1] for path, what in right.items() if ".dvc/" not in path
    }
    assert len(left) > 12


def test_the_same_experiment_and_real_dvc_shows_it(tmp_path: Path, dvc_command: str) -> None:
    ours, theirs = both(tmp_path, dvc_command, "exp_name='mine', exp_message='hello', cache_images=False")
    trees = [
        set(project.git("ls-tree", "-r", "--format=%(objectname) %(path)", project.exps()["mine"]).splitlines())
        for project in (ours, theirs)
    ]
    private = (".dvc/tmp/repro.dat",)  # a mistake of DVC's
    kept = [{line for line in tree if not line.endswith(private) and " .dvc/" not in line} for tree in trees]
    assert kept[0] == kept[1]
    messages = {project.git("log", "-1", "--format=%B", project.exps()["mine"]) for project in (ours, theirs)}
    assert len(messages) == 1
    shown = ours.dvc("exp", "show", "--csv").out
    assert "mine" in shown and "train.loss" in shown
    ours.dvc("exp", "apply", "mine")


RESUMED = """\
import sys
if sys.argv[1] == "peer":
    from dvclive import Live
else:
    from offbranch import Live
for resume in (False, True, True):
    live = Live(resume=resume, {arguments})
    live.log_param(f"p{{live.step}}", 1)
    for i in range(3):
        live.log_metric("m", live.step * 2)
        live.next_step()
    live.end()
"""


def test_a_program_that_resumes(tmp_path: Path, dvc_command: str) -> None:
    ours, theirs = both(tmp_path, dvc_command, "save_dvc_exp=False", RESUMED)
    left, right = snapshot(ours, "dvclive"), snapshot(theirs, "dvclive")
    assert {path: what[1] for path, what in left.items()} == {path: what[1] for path, what in right.items()}


def test_each_goes_on_where_the_other_ended(tmp_path: Path, dvc_command: str) -> None:
    program = RESUMED.replace("(False, True, True)", "({start},)").replace("{arguments}", "save_dvc_exp=False")
    ours, theirs = both(tmp_path, dvc_command, "", program.replace("{start}", "False"))
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    (tmp_path / "again.py").write_text(program.replace("{start}", "True").replace("{{", "{").replace("}}", "}"))
    peer = str(Path(dvc_command).with_name("python"))
    subprocess.run([sys.executable, tmp_path / "again.py", "ours"], cwd=theirs.root, env=env, check=True)
    subprocess.run([peer, tmp_path / "again.py", "peer"], cwd=ours.root, env={**env, "PYTHONPATH": ""}, check=True)
    left, right = snapshot(ours, "dvclive"), snapshot(theirs, "dvclive")
    assert {path: what[1] for path, what in left.items()} == {path: what[1] for path, what in right.items()}
