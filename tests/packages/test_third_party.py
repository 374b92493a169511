"""Code of others, unmodified, with offbranch-dvc in place of DVCLive and DVC."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from framework_programs import LIGHTNING, PROGRAMS, TORCH, TRANSFORMERS, filled, program
from frameworks import need_library, summary, tables, train
from projects import SIMPLE, SOURCE, Ended, TestProject, make_project


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", {"a.txt": "a"})


@pytest.mark.parametrize("wish", ["", "true", "all"])
def test_transformers_reports_to_dvclive(project: TestProject, modules: Path, wish: str) -> None:
    """Its own `DVCLiveCallback`."""
    need_library("transformers")
    code = filled(TRANSFORMERS, "dvclive", imports="", saves="epoch", report_to='"dvclive"', callbacks="")
    train(code, project.root, paths=(modules,), HF_DVCLIVE_LOG_MODEL=wish)
    steps = tables(project.root)
    assert steps["loss"] == [0, 2] and steps["eval/loss"] == [1, 3] and steps["train/loss"] == [4]
    assert yaml.safe_load((project.root / "dvclive/params.yaml").read_text())["num_train_epochs"] == 2
    (saved,) = project.exps().values()
    listed = project.git("ls-tree", "-r", "--name-only", saved).splitlines()
    assert {path for path in listed if path.endswith(".dvc")} == (
        {"": set(), "true": {"dvclive/artifacts/last.dvc"}, "all": {"out.dvc"}}[wish]
    )


def test_accelerate_tracks_with_dvclive(project: TestProject, modules: Path) -> None:
    """Its own `DVCLiveTracker`, chosen by name: it looks for metadata of a distribution `dvclive`."""
    need_library("accelerate")
    code = (
        TORCH
        + """
from accelerate import Accelerator
accelerator = Accelerator(cpu=True, log_with="dvclive")
accelerator.init_trackers("project", config={"lr": 0.1, "layers": 2}, init_kwargs={"dvclive": {"dir": "logs"}})
for step in (0, 2):
    accelerator.log({"train/loss": torch.tensor(1.0 / (step + 1)).item(), "bad": [1]}, step=step)
accelerator.log({"late": 1})
accelerator.get_tracker("dvclive", unwrap=True).summary["own"] = 1
accelerator.end_training()
"""
    )
    train(code, project.root, paths=(modules,))
    assert tables(project.root, "logs") == {"late": [3], "train/loss": [0, 2]}
    assert yaml.safe_load((project.root / "logs/params.yaml").read_text()) == {"lr": 0.1, "layers": 2}
    assert summary(project.root, "logs")["own"] == 1 and len(project.exps()) == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_written_for_dvclive_run_as_they_are(project: TestProject, modules: Path, name: str) -> None:
    need_library(PROGRAMS[name][0])
    train(program(name, "dvclive", ""), project.root, paths=(modules,))
    assert len(project.exps()) == (2 if name == "optuna" else 1)


def test_a_lightning_logger_given_an_open_live(project: TestProject, modules: Path) -> None:
    need_library("lightning")
    code = filled(LIGHTNING, "dvclive", 'run_name="mine", prefix="p", experiment=Live("logs", save_dvc_exp=False)')
    train("from dvclive import Live\n" + code, project.root, paths=(modules,))
    assert tables(project.root, "logs")["p/val/loss"] == [1, 3]


ULTRALYTICS = """
import importlib.metadata, os
from pathlib import Path
from types import SimpleNamespace

import dvclive

version = importlib.metadata.version("dvclive")
assert tuple(int(part) for part in version.split("+")[0].split(".")) >= (2, 11, 0)
live = dvclive.Live(save_dvc_exp=True, cache_images=True)
live.log_params({"epochs": 2, "data": "coco8.yaml", "nested": None})
image = Path("runs/train/labels.png")
image.parent.mkdir(parents=True)
image.write_bytes(bytes.fromhex("89504e470d0a1a0a"))
for epoch in range(2):
    for name, value in {"train/box_loss": 1.0 / (epoch + 1), "metrics/mAP50(B)": 0.1 * epoch, "lr/pg0": 0.01}.items():
        live.log_metric(name, value)
    live.log_metric("model/parameters", 3_000_000, plot=False)
    live.log_image("train/labels.png", image)
    live.next_step()
live.log_metric("metrics/mAP50(B)", 0.3, plot=False)
live.log_sklearn_plot("confusion_matrix", ["cat", "dog", "cat"], ["cat", "cat", "dog"], name="cf.json", normalized=True)
best = Path("runs/train/weights/best.pt")
best.parent.mkdir()
best.write_text("weights")
live.log_artifact(best, copy=True, type="model")
live.end()
"""


def test_the_calls_of_ultralytics(project: TestProject, modules: Path) -> None:
    """Those of its callbacks, version 8.4, in their order; it is too large to be installed for a test."""
    train(ULTRALYTICS, project.root, paths=(modules,))
    assert tables(project.root)["metrics/mAP50(B)"] == [0, 1]
    assert summary(project.root)["metrics"] == {"mAP50(B)": 0.3}
    described = yaml.safe_load((project.root / "dvc.yaml").read_text())
    assert described["artifacts"]["best"] == {"path": "dvclive/artifacts/best.pt", "type": "model"}
    assert {"dvclive/plots/sklearn/cf.json"} <= {name for plot in described["plots"] for name in plot if len(plot) == 1}
    (saved,) = project.exps().values()
    listed = project.git("ls-tree", "-r", "--name-only", saved).splitlines()
    assert {"dvclive/plots/images.dvc", "dvclive/artifacts/best.pt.dvc", "dvclive/metrics.json"} <= set(listed)


def dvc(project: TestProject, modules: Path, *args: str) -> Ended:
    env = {**os.environ, "PYTHONPATH": f"{modules}{os.pathsep}{SOURCE}"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args], cwd=project.root, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{args}: {done.stderr}"
    return Ended(done.returncode, done.stdout, done.stderr)


def test_the_calls_of_mmengine(tmp_path: Path, modules: Path) -> None:
    """Those of its `DVCLiveVisBackend`, version 0.10: it may make a project by the command, and logs images by name."""
    need_library("PIL")
    (tmp_path / "w").mkdir()
    env = {**os.environ, "PYTHONPATH": f"{modules}{os.pathsep}{SOURCE}"}
    subprocess.run([sys.executable, "-m", "dvc", "init", "-f", "--no-scm"], cwd=tmp_path / "w", env=env, check=True)
    code = """
import numpy
from dvclive import Live
live = Live(dir="vis", save_dvc_exp=False, cache_images=False)
live.log_params({"model": {"type": "ResNet", "depth": 18}})
live.step = 3
live.log_metric("loss", 0.5)
live.make_summary()
live.log_image("drawn.png", numpy.zeros((2, 2, 3), dtype="uint8"))
live.make_summary()
live.end()
"""
    train(code, tmp_path / "w", paths=(modules,))
    assert tables(tmp_path / "w", "vis") == {"loss": [3]}
    assert (tmp_path / "w/vis/plots/images/drawn.png").stat().st_size


def test_the_calls_of_an_editor(tmp_path: Path, modules: Path) -> None:
    """Those of the DVC extension for VS Code: what it calls, and that it gets JSON of the form it reads."""
    project = make_project(tmp_path / "p", SIMPLE)
    assert dvc(project, modules, "--version").out.strip() == "3.67.1"
    assert dvc(project, modules, "version").out.startswith("DVC version: 3.67.1 (offbranch ")
    assert dvc(project, modules, "root").out.strip() == "."
    dvc(project, modules, "exp", "run", "-n", "one", "-S", "lr=0.2")
    shown = json.loads(dvc(project, modules, "exp", "show", "--json", "-n", "1", "--no-fetch").out)
    assert [row["rev"] for row in shown] == ["workspace", project.git("rev-parse", "HEAD").strip()]
    assert shown[1]["experiments"][0]["name"] == "one"
    status = json.loads(dvc(project, modules, "data", "status", "--json", "--granular", "--unchanged").out)
    assert "model.txt" in str(status)
    plots = json.loads(dvc(project, modules, "plots", "diff", "--json", "--split", "-o", ".dvc/tmp/plots", "HEAD").out)
    assert isinstance(plots, dict)
    assert dvc(project, modules, "plots", "templates").out.split()
    assert "one" in dvc(project, modules, "exp", "list").out
    for words in (("queue", "status"), ("config", "--list"), ("stage", "list"), ("exp", "apply", "one")):
        dvc(project, modules, *words)
    dvc(project, modules, "exp", "rename", "one", "two")
    dvc(project, modules, "exp", "branch", "two", "kept")
    dvc(project, modules, "exp", "remove", "two")
    assert "kept" in project.git("branch", "--list", "kept")


def test_the_functions_of_dvc_api(tmp_path: Path, modules: Path) -> None:
    project = make_project(tmp_path / "p", SIMPLE)
    code = """
import dvc.api
assert dvc.api.params_show()["lr"] == 0.1
assert dvc.api.read("data.txt") == "hello\\n"
with dvc.api.open("data.txt", mode="rb") as file:
    assert file.read() == b"hello\\n"
assert dvc.api.make_checkpoint() is None
print(dvc.api.exp_save(name="saved", force=True))
"""
    env = {**os.environ, "PYTHONPATH": f"{modules}{os.pathsep}{SOURCE}"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=env, capture_output=True, text=True, check=True
    )
    assert project.exps()["saved"] == done.stdout.strip()
