"""Callbacks for training libraries, each with the real library where it is installed."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from framework_programs import DATA, FABRIC, LIGHTNING, OPTUNA, OPTUNA_TWO, PROGRAMS, TRANSFORMERS, filled, program
from frameworks import PYTHON, SETTINGS, need_library, summary, tables, train
from offbranch.live import Live
from offbranch.live.frameworks.catboost import DVCLiveCallback as CatBoostCallback
from offbranch.live.frameworks.lgbm import DVCLiveCallback as LightGBMCallback
from offbranch.live.frameworks.names import metric_name
from offbranch.live.frameworks.opening import end_failed, open_live, written_params
from offbranch.live.frameworks.optuna import DVCLiveCallback as OptunaCallback
from projects import SOURCE, TestProject, make_project

pytestmark = pytest.mark.timeout(400)  # some of the libraries take half a minute to be read from a disk
PACKAGE = "offbranch.live.frameworks"


@pytest.fixture
def project(tmp_path: Path) -> TestProject:
    return make_project(tmp_path / "p", {"a.txt": "a"})


@pytest.mark.parametrize(
    ("library", "name", "expected"),
    [
        ("keras", "val_loss", "eval/loss"),
        ("keras", "loss", "train/loss"),
        ("keras", "learning_rate", "train/learning_rate"),
        ("huggingface", "train_loss", "train/loss"),
        ("dvclive.huggingface", "eval_loss", "eval/loss"),
        ("huggingface", "loss", "loss"),
        ("huggingface", "train/x", "train/x"),
        ("huggingface", "test_loss", "test_loss"),
        ("fastai", "train_loss", "train/loss"),
        ("fastai", "valid_loss", "eval/loss"),
        ("fastai", "acc", "acc"),
        ("lightning", "train_loss_step", "train/step/loss"),
        ("dvclive.lightning", "val_loss_epoch", "val/epoch/loss"),
        ("fabric", "test_acc", "test/acc"),
        ("lightning", "train_step", "train/step"),
        ("lightning", "loss_step", "loss_step"),
        ("lightning", "epoch", "epoch"),
        ("lightning", "train/loss_epoch", "train/loss_epoch"),
        ("lightning", "train__x", "train/_x"),
        ("lightning", "val_loss/dataloader_idx_0", "val/loss/dataloader_idx_0"),
        ("lightning", "trainloss", "trainloss"),
        ("xgb", "val_loss", "val_loss"),
    ],
)
def test_names_are_those_of_dvclive(library: str, name: str, expected: str) -> None:
    assert metric_name(name, library) == expected


def test_a_callback_takes_a_live_or_the_arguments_of_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    live = Live(tmp_path / "a", save_dvc_exp=False, dvcyaml=None)
    assert open_live(live, {}) is live
    assert open_live(None, {"dir": str(tmp_path / "b"), "save_dvc_exp": False, "dvcyaml": None}).dir.endswith("b")
    assert open_live(live, {"dir": "x"}) is live
    assert "'live' is open already: 'dir' had to be given to it" in caplog.text
    with pytest.raises(TypeError, match="not str"):
        open_live("dvclive", {})  # type: ignore[arg-type]


def test_parameters_that_yaml_does_not_have_are_written_as_text() -> None:
    found = written_params({"a": 1, "f": len, "d": {"x": object}, "l": [Path("p"), 2], "n": None})
    assert found == {"a": 1, "f": "len", "d": {"x": "object"}, "l": ["p", 2], "n": None}
    assert written_params(SimpleNamespace(a=1, f=len)) == {"a": 1, "f": "len"}


def test_after_a_failure_no_experiment_is_saved(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    live = Live()
    live.log_metric("a", 1)
    end_failed(live)
    assert summary(project.root) == {"a": 1} and project.exps() == {}


# Libraries whose callbacks need nothing of them


def test_lightgbm_names_data_only_where_there_is_more_than_one_value(tmp_path: Path) -> None:
    live = Live(tmp_path / "dvclive", save_dvc_exp=False, dvcyaml=None)
    callback = LightGBMCallback(live=live)
    callback(SimpleNamespace(evaluation_result_list=[("test", "auc", 0.5, True)]))
    callback(
        SimpleNamespace(evaluation_result_list=[("train", "auc", 0.6, True, 0.1), ("valid", "auc", 0.7, True, 0.1)])
    )
    callback(SimpleNamespace(evaluation_result_list=None))
    live.end()
    assert summary(tmp_path) == {"auc": 0.5, "train": {"auc": 0.6}, "valid": {"auc": 0.7}, "step": 2}


def test_catboost_goes_on(tmp_path: Path) -> None:
    live = Live(tmp_path / "dvclive", save_dvc_exp=False, dvcyaml=None)
    callback = CatBoostCallback(live=live)
    assert callback.after_iteration(SimpleNamespace(metrics={"learn": {"Logloss": [0.5, 0.4]}})) is True
    assert callback.after_iteration(SimpleNamespace(metrics=None)) is True
    live.end()
    assert summary(tmp_path) == {"learn": {"Logloss": 0.4}, "step": 1}


def test_optuna_trials_that_failed_have_parameters_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    callback = OptunaCallback(["p", "q"], save_dvc_exp=False)
    callback(None, SimpleNamespace(params={"x": 1}, values=None))
    assert (tmp_path / "dvclive-optuna/params.yaml").read_text() == "x: 1\n"
    assert not (tmp_path / "dvclive-optuna/plots").exists()
    callback(None, SimpleNamespace(params={"x": 2}, values=[0.5, 0.25]))
    assert summary(tmp_path, "dvclive-optuna") == {"p": 0.5, "q": 0.25}
    with pytest.raises(ValueError, match="has 1 values, and 'metric_name' names 2"):
        callback(None, SimpleNamespace(params={}, values=[1.0]))


# With the libraries

EXPECTED = {
    "xgb": (["eval/error", "eval/logloss", "train/error", "train/logloss"], [0, 1, 2]),
    "lgbm": (["test/auc", "test/binary_logloss", "train/auc", "train/binary_logloss"], [0, 1, 2]),
    "lgbm one": (["valid_0/auc", "valid_0/binary_logloss"], [0, 1, 2]),
    "fastai": (["eval/loss", "mse", "train/loss"], [0, 1]),
    "keras": (["eval/accuracy", "eval/loss", "train/accuracy", "train/loss"], [0, 1]),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_round_is_a_step(name: str, project: TestProject) -> None:
    need_library(PROGRAMS[name][0])
    done = train(program(name, PACKAGE, "exp_name='trained'"), project.root)
    names, steps = EXPECTED[name]
    assert tables(project.root) == dict.fromkeys(names, steps), done.err
    assert summary(project.root)["step"] == steps[-1]
    assert list(project.exps()) == ["trained"]


TWICE = {
    "xgb": ("xgboost.train(", "callback = DVCLiveCallback({options})\nfor _ in range(2): xgboost.train("),
    "keras": ("model.fit(", "callback = DVCLiveCallback({options})\nfor _ in range(2): model.fit("),
    "fastai": (
        "    learner.fit(2, cbs=DVCLiveCallback({options}))",
        "    learner.fine_tune(2, freeze_epochs=2, cbs=DVCLiveCallback({options}))",
    ),
}


@pytest.mark.parametrize("name", TWICE)
def test_training_further_goes_on_with_the_next_step(name: str, project: TestProject) -> None:
    """Also within `with Live()`, where the end of the first training ends nothing."""
    library, code = PROGRAMS[name]
    need_library(library)
    code = code.replace(*TWICE[name]).replace("[DVCLiveCallback({options})]", "[callback]")
    code = code.replace("import fastai.callback.progress", "import fastai.callback.progress, fastai.callback.schedule")
    train(filled(code, PACKAGE, "exp_name='one'"), project.root)
    _, steps = EXPECTED[name]
    assert set(map(tuple, tables(project.root).values())) == {tuple(range(2 * len(steps)))}
    assert list(project.exps()) == ["one"]
    within = filled(code, PACKAGE, "live=live")
    first, _, rest = within.partition("callback = " if name != "fastai" else "pairs = ")
    start = "callback = " if name != "fastai" else "pairs = "
    inside = "".join(f"    {line}\n" for line in (start + rest).splitlines())
    train(f"{first}from offbranch import Live\nwith Live(save_dvc_exp=False) as live:\n{inside}", project.root)
    assert set(map(tuple, tables(project.root).values())) == {tuple(range(2 * len(steps)))}


def test_catboost_trains(project: TestProject) -> None:
    need_library("catboost")
    code = (
        DATA
        + """
import catboost
from offbranch.live import Live
from offbranch.live.frameworks.catboost import DVCLiveCallback
model = catboost.CatBoostClassifier(iterations=3, verbose=False, thread_count=1, allow_writing_files=False)
with Live(save_dvc_exp=False) as live:
    model.fit(x[:40], y[:40], eval_set=(x[40:], y[40:]), callbacks=[DVCLiveCallback(live)])
"""
    )
    train(code, project.root)
    assert tables(project.root) == {"learn/Logloss": [0, 1, 2], "validation/Logloss": [0, 1, 2]}


def test_sklearn_searches_and_models(project: TestProject) -> None:
    need_library("sklearn")
    code = (
        DATA
        + """
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from offbranch.live import Live
from offbranch.live.frameworks.sklearn import log_model, log_search
search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(x[:40], y[:40])
with Live(save_dvc_exp=False) as live:
    log_search(live, search)
    log_model(live, search.best_estimator_, x[40:], y[40:])
"""
    )
    train(code, project.root)
    found = summary(project.root)
    assert found["search"]["n_candidates"] == 2 and 0 < found["eval"]["score"] <= 1  # type: ignore[index]
    points = json.loads((project.root / "dvclive/plots/custom/search.json").read_text())
    assert [(point["candidate"], point["C"]) for point in points] == [(0, 0.1), (1, 1.0)]
    plots = {path.name for path in (project.root / "dvclive/plots/sklearn/eval").iterdir()}
    assert plots == {"confusion_matrix.json", "roc.json", "precision_recall.json"}
    assert project.ob("plots", "show", "--json").code == 0


def test_optuna_makes_an_experiment_of_each_trial(project: TestProject) -> None:
    need_library("optuna")
    train(filled(OPTUNA, PACKAGE, ""), project.root)
    assert len(project.exps()) == 2
    shown = json.loads(project.ob("exp", "show", "--json").out)[1]["experiments"]
    assert len(shown) == 2
    train(filled(OPTUNA_TWO, PACKAGE, "save_dvc_exp=False", metric="['p', 'q'], "), project.root)
    assert set(summary(project.root, "dvclive-optuna")) == {"p", "q"}


def test_lightning_logs_at_the_steps_of_the_trainer(project: TestProject) -> None:
    need_library("lightning")
    after = "import pickle\nagain = pickle.loads(pickle.dumps(logger))\nprint(again.name, again.version, again.experiment.step)"
    done = train(filled(LIGHTNING, PACKAGE, "save_dvc_exp=False", after=after), project.root)
    steps = tables(project.root)
    assert steps["train/step/loss"] == [0, 1, 2, 3]
    assert steps["train/epoch/loss"] == steps["val/loss"] == [1, 3]
    assert yaml.safe_load((project.root / "dvclive/params.yaml").read_text()) == {"lr": 0.1, "names": ["a", "b"]}
    assert done.out.splitlines()[-1] == "DvcLiveLogger dvclive_run 4"


@pytest.mark.parametrize("wish", ["True", "'all'"])
def test_lightning_logs_models(project: TestProject, wish: str) -> None:
    need_library("lightning")
    code = filled(LIGHTNING, PACKAGE, f"log_model={wish}, exp_name='best'", checkpoints="True")
    train(code, project.root)
    described = yaml.safe_load((project.root / "dvc.yaml").read_text())["artifacts"]["best"]
    assert described["type"] == "model" and (project.root / described["path"]).stat().st_size
    listed = project.git("ls-tree", "-r", "--name-only", project.exps()["best"]).splitlines()
    assert "DvcLiveLogger/dvclive_run/checkpoints.dvc" in listed and f"{described['path']}.dvc" in listed


def test_lightning_that_fails_leaves_no_experiment(project: TestProject) -> None:
    need_library("lightning")
    code = filled(LIGHTNING, PACKAGE, "").replace("        return loss\n", "        raise KeyError('broken')\n")
    code = code.replace("trainer.fit(", "try:\n    trainer.fit(").replace(
        "loader())\n\n", "loader())\nexcept KeyError:\n    pass\n"
    )
    done = train(code, project.root)
    assert project.exps() == {} and "no experiment is saved, because of KeyError" in done.err


def test_fabric_counts_steps_where_the_program_does_not(project: TestProject) -> None:
    need_library("lightning")
    train(filled(FABRIC, PACKAGE, "prefix='pre', save_dvc_exp=False"), project.root)
    assert tables(project.root) == {"pre/late": [3, 5], "pre/train/loss": [1, 2], "pre/val/epoch/acc": [1, 2]}


@pytest.mark.parametrize(
    ("wish", "expected"), [("None", set()), ("True", {"dvclive/artifacts/last.dvc"}), ("'all'", {"out.dvc"})]
)
def test_transformers_logs_what_the_trainer_logs(project: TestProject, wish: str, expected: set[str]) -> None:
    need_library("transformers")
    train(filled(TRANSFORMERS, PACKAGE, f"log_model={wish}, save_dvc_exp=False", saves="epoch"), project.root)
    steps = tables(project.root)
    assert steps["loss"] == [0, 2] and steps["eval/loss"] == [1, 3] and steps["train/loss"] == [4]
    parameters = yaml.safe_load((project.root / "dvclive/params.yaml").read_text())
    assert parameters["num_train_epochs"] == 2 and parameters["output_dir"] == "out"
    assert {str(path.relative_to(project.root)) for path in project.root.rglob("*.dvc") if path.is_file()} == expected


# In an experiment run


def chain(project: TestProject, name: str) -> list[str]:
    """The commits of an experiment, the newest first, without the baseline."""
    return project.git("rev-list", f"HEAD..{project.exps()[name]}").split()


def staged(root: Path, code: str, outs: str) -> TestProject:
    pipeline = f"stages:\n  train:\n    cmd: $PYTHON train.py\n    deps: [train.py]\n    outs: [{outs}]\n"
    return make_project(root, {"train.py": code, "dvc.yaml": pipeline})


def test_rounds_are_checkpoints_in_an_experiment_run(tmp_path: Path) -> None:
    """A library that is not there is not needed for it: LightGBM's callback is called as LightGBM calls it."""
    code = """
from types import SimpleNamespace
from offbranch.live.frameworks.lgbm import DVCLiveCallback
callback = DVCLiveCallback(dvcyaml=None)
for i in range(3):
    open("model.txt", "w").write(str(i))
    callback(SimpleNamespace(evaluation_result_list=[("test", "auc", i / 3, True)]))
callback.live.end()
"""
    project = staged(tmp_path / "p", code, "model.txt")
    done = project.ob("exp", "run", "--checkpoint", "-n", "one", PYTHON=sys.executable, PYTHONPATH=str(SOURCE))
    assert done.code == 0, done.err
    assert len(chain(project, "one")) == 4
    assert project.ob("exp", "apply", "one@2").code == 0
    assert (project.root / "model.txt").read_text() == "1"


def test_lightning_asks_for_a_checkpoint_when_it_has_saved_one(tmp_path: Path) -> None:
    need_library("lightning")
    code = filled(LIGHTNING, PACKAGE, "dvcyaml=None", checkpoints="True")
    project = staged(tmp_path / "p", code, "DvcLiveLogger")
    done = project.ob("exp", "run", "--checkpoint", "-n", "one", PYTHON=PYTHON, PYTHONPATH=str(SOURCE), **SETTINGS)
    assert done.code == 0, done.err
    first, *_, final = reversed(chain(project, "one"))
    assert first != final
    assert project.ob("exp", "apply", "one@last").code == 0
    assert list((project.root / "DvcLiveLogger").rglob("*.ckpt"))


def test_lightning_that_is_killed_and_resumed_has_each_row_once(tmp_path: Path) -> None:
    """The means of an epoch are logged after the trainer has saved, and not again: the checkpoint has to have them."""
    need_library("lightning")
    code = filled(LIGHTNING, PACKAGE, "dvcyaml=None", checkpoints="True").replace("max_epochs=2", "max_epochs=4")
    saving = "lightning.pytorch.callbacks.ModelCheckpoint(dirpath='checkpoints', save_last=True)"
    code = code.replace("logger=logger,", f"logger=logger, callbacks=[{saving}],")
    code = code.replace("loader(), loader())", "loader(), loader(), ckpt_path='last')")
    dies = "self.global_step == 5 and os.path.exists('../die') and (os.unlink('../die'), os._exit(9))"
    code = "import os\n" + code.replace("        return loss", f"        {dies}\n        return loss")
    project = staged(tmp_path / "p", code, "checkpoints: {checkpoint: true}")
    (tmp_path / "die").touch()
    env = {"PYTHON": PYTHON, "PYTHONPATH": str(SOURCE), **SETTINGS}
    assert project.ob("exp", "run", "-n", "one", **env).code == 1
    done = project.ob("exp", "run", "--resume", "one", **env)
    assert done.code == 0 and "goes on with 'one' from checkpoint" in done.err, done.err
    steps = tables(project.root)
    assert steps["train/step/loss"] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert steps["train/epoch/loss"] == steps["val/loss"] == [1, 3, 5, 7]


def test_lightning_goes_on_from_what_it_has_saved(tmp_path: Path) -> None:
    """As docs/guide/frameworks.md says: the program is the same for the first time and for going on."""
    need_library("lightning")
    code = filled(LIGHTNING, PACKAGE, "save_dvc_exp=False, dvcyaml=None", checkpoints="True")
    code = code.replace("max_epochs=2", "max_epochs=int(__import__('os').environ['EPOCHS'])")
    saving = "lightning.pytorch.callbacks.ModelCheckpoint(dirpath='checkpoints', save_last=True)"
    code = code.replace("logger=logger,", f"logger=logger, callbacks=[{saving}],")
    code = code.replace("loader(), loader())", "loader(), loader(), ckpt_path='last')")
    train(code, tmp_path, EPOCHS="1")
    assert tables(tmp_path)["train/step/loss"] == [0, 1]
    train(code, tmp_path, EPOCHS="3", DVCLIVE_RESUME="1")
    assert tables(tmp_path)["train/step/loss"] == [0, 1, 2, 3, 4, 5]
    assert tables(tmp_path)["val/loss"] == [1, 3, 5]


def test_what_is_logged_again_after_going_back_is_there_once(tmp_path: Path) -> None:
    """A trainer that is killed goes back to what it had saved, which is older than what it had logged."""
    need_library("lightning")
    code = f"""
import os
from {PACKAGE}.fabric import DVCLiveLogger
logger = DVCLiveLogger(save_dvc_exp=False, dvcyaml=None)
for step in range(*map(int, os.environ["STEPS"].split())):
    logger.log_metrics({{"a": int(os.environ["SIGN"]) * step}}, step=step)
logger.finalize("success")
"""
    train(code, tmp_path, STEPS="0 6", SIGN="1")
    train(code, tmp_path, STEPS="3 5", SIGN="-1", DVCLIVE_RESUME="1")
    assert (tmp_path / "dvclive/plots/metrics/a.tsv").read_text() == "step\ta\n0\t0\n1\t1\n2\t2\n3\t-3\n4\t-4\n"
    assert summary(tmp_path) == {"a": -4, "step": 4}


def test_keras_goes_on_from_its_backup(tmp_path: Path) -> None:
    need_library("keras")
    code = filled(PROGRAMS["keras"][1], PACKAGE, "save_dvc_exp=False, dvcyaml=None")
    code = code.replace("epochs=2", "epochs=int(__import__('os').environ['EPOCHS'])")
    backup = "keras.callbacks.BackupAndRestore('backup', delete_checkpoint=False)"
    code = code.replace("callbacks=[", f"callbacks=[{backup}, ")
    train(code, tmp_path, EPOCHS="1")
    train(code, tmp_path, EPOCHS="3", DVCLIVE_RESUME="1")
    assert set(map(tuple, tables(tmp_path).values())) == {(0, 1, 2)}


def test_fastai_goes_on_with_a_later_epoch(tmp_path: Path) -> None:
    need_library("fastai")
    code = filled(PROGRAMS["fastai"][1], PACKAGE, "save_dvc_exp=False, dvcyaml=None")
    code = code.replace("learner.fit(2,", "learner.fit(4, start_epoch=int(__import__('os').environ['FROM']),")
    train(code, tmp_path, FROM="2")
    train(code, tmp_path, FROM="2", DVCLIVE_RESUME="1")
    assert set(map(tuple, tables(tmp_path).values())) == {(0, 1, 2, 3)}


def test_transformers_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    need_library("transformers")
    last = "transformers.trainer_utils.get_last_checkpoint('out') if __import__('os').path.isdir('out') else None"
    options = "save_dvc_exp=False, dvcyaml=None"
    code = filled(TRANSFORMERS, PACKAGE, options, saves="epoch", train=f"resume_from_checkpoint={last}")
    code = code.replace("import numpy as np, transformers", "import transformers, transformers.trainer_utils")
    code = code.replace("num_train_epochs=2", "num_train_epochs=int(__import__('os').environ['EPOCHS'])")
    train(code, tmp_path, EPOCHS="1")
    train(code, tmp_path, EPOCHS="2", DVCLIVE_RESUME="1")
    steps = tables(tmp_path)
    assert len(steps["loss"]) == len(steps["eval/loss"]) == 2
    assert steps["epoch"] == sorted(set(steps["epoch"]))


def test_a_logger_goes_on_with_what_a_process_that_it_was_handed_to_has_logged(tmp_path: Path) -> None:
    """Ranks that are spawned log and end; then the program tests, or logs something more."""
    need_library("lightning")
    code = f"""
import os, pickle
from {PACKAGE}.fabric import DVCLiveLogger
for name in ("old", "new"):
    logger = DVCLiveLogger(save_dvc_exp=False, dvcyaml=None)
    spawned = pickle.loads(pickle.dumps(logger))
    if name == "new":
        spawned.log_metrics({{"fit": 1}}, step=3)
        spawned.finalize("success")
        tested = pickle.loads(pickle.dumps(logger))
        tested.log_metrics({{"test": 2}}, step=4)
        tested.finalize("success")
    logger.log_metrics({{name: 3}}, step=5)
    logger.finalize("success")
    os.utime("dvclive/metrics.json", (1, 1)) if name == "old" else None
"""
    train(code, tmp_path)
    assert tables(tmp_path) == {"fit": [3], "new": [5], "test": [4]}


def test_a_logger_is_pickled_without_its_live(tmp_path: Path) -> None:
    """In a process that is started for a rank, the logger opens the directory again and goes on."""
    need_library("lightning")
    code = f"""
import pickle
from {PACKAGE}.fabric import DVCLiveLogger
logger = DVCLiveLogger(save_dvc_exp=False, dvcyaml=None)
assert pickle.loads(pickle.dumps(logger))._kwargs == {{"save_dvc_exp": False, "dvcyaml": None}}
logger.log_metrics({{"a": 1}}, step=4)
logger.experiment.flush()
again = pickle.loads(pickle.dumps(logger))
again.log_metrics({{"a": 2}})
again.finalize("success")
"""
    train(code, tmp_path)
    assert tables(tmp_path) == {"a": [4, 5]}
