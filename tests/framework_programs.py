"""Tiny training programs, one for each library that has a callback, with the package that they import it from left open.

`{package}` is `offbranch.live.frameworks`, or `dvclive` of the drop-in distribution or of its authors: all write the same
files. `{options}` are arguments for `Live`.
"""

from collections.abc import Mapping

DATA = """
import numpy as np
rng = np.random.default_rng(0)
x = rng.normal(size=(60, 3)).astype("float32")
y = (x[:, 0] > 0).astype("int64")
"""
TORCH = """
import torch
torch.manual_seed(0)
torch.set_num_threads(1)
"""

XGBOOST = (
    DATA
    + """
import xgboost
from {package}.xgb import DVCLiveCallback

train, test = xgboost.DMatrix(x[:40], y[:40]), xgboost.DMatrix(x[40:], y[40:])
xgboost.train(
    {{"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "nthread": 1, "max_depth": 2}},
    train,
    num_boost_round=3,
    evals=[(train, "train"), (test, "eval")],
    callbacks=[DVCLiveCallback({options})],
    verbose_eval=False,
)
"""
)

LIGHTGBM = (
    DATA
    + """
import lightgbm
from {package}.lgbm import DVCLiveCallback

train = lightgbm.Dataset(x[:40], y[:40])
callback = DVCLiveCallback({options})
lightgbm.train(
    {{"objective": "binary", "metric": ["binary_logloss", "auc"], "num_threads": 1, "verbose": -1, "min_data_in_leaf": 2}},
    train,
    num_boost_round=3,
    valid_sets=[train, lightgbm.Dataset(x[40:], y[40:], reference=train)],
    valid_names=["train", "test"],
    callbacks=[callback],
)
callback.live.end()
"""
)

LIGHTGBM_ONE = (
    DATA
    + """
import lightgbm
from {package}.lgbm import DVCLiveCallback

callback = DVCLiveCallback({options})
model = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1, min_child_samples=2)
model.fit(x[:40], y[:40], eval_set=[(x[40:], y[40:])], eval_metric="auc", callbacks=[callback])
callback.live.end()
"""
)

OPTUNA = """
import optuna
from {package}.optuna import DVCLiveCallback

optuna.logging.set_verbosity(optuna.logging.ERROR)

def objective(trial):
    x = trial.suggest_float("x", -1, 1)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    return x * x

study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials=2, callbacks=[DVCLiveCallback({options})])
"""

OPTUNA_TWO = """
import optuna
from {package}.optuna import DVCLiveCallback

optuna.logging.set_verbosity(optuna.logging.ERROR)

def objective(trial):
    x = trial.suggest_float("x", -1, 1)
    return x * x, 1 - x

study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), directions=["minimize", "maximize"])
study.optimize(objective, n_trials=1, callbacks=[DVCLiveCallback({metric}{options})])
"""

LIGHTNING = (
    TORCH
    + """
import logging, warnings
warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
import lightning
from {package}.lightning import DVCLiveLogger

class Model(lightning.LightningModule):
    def __init__(self, lr=0.1, names=("a", "b")):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(3, 1)

    def training_step(self, batch, _):
        loss = self.layer(batch).square().mean()
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", self.layer(batch).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

def loader():
    return torch.utils.data.DataLoader(torch.ones(4, 3), batch_size=2)

logger = DVCLiveLogger({options})
trainer = lightning.Trainer(
    max_epochs=2,
    accelerator="cpu",
    logger=logger,
    log_every_n_steps=1,
    enable_progress_bar=False,
    enable_model_summary=False,
    enable_checkpointing={checkpoints},
    default_root_dir=".",
)
trainer.fit(Model(), loader(), loader())
{after}
"""
)

FABRIC = (
    TORCH
    + """
from lightning.fabric import Fabric
from {package}.fabric import DVCLiveLogger

logger = DVCLiveLogger({options})
fabric = Fabric(accelerator="cpu", loggers=logger)
fabric.logger.log_hyperparams({{"lr": 0.1, "layers": [1, 2]}})
for epoch in range(2):
    fabric.log_dict({{"train_loss": 1 / (epoch + 1), "val_acc_epoch": torch.tensor(0.5)}})
for step in (3, 5):
    fabric.log("late", step, step=step)
logger.finalize("success")
"""
)

TRANSFORMERS = (
    TORCH
    + """
import logging
import numpy as np, transformers
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments
{imports}

class Pairs(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {{"x": torch.ones(3) * index, "labels": torch.tensor(float(index))}}

class Config(transformers.PretrainedConfig):
    model_type = "tiny"

class Model(transformers.PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(3, 1)
        self.post_init()

    def forward(self, x, labels=None):
        out = self.layer(x).squeeze(-1)
        return {{"loss": (out - labels).square().mean(), "logits": out}}

arguments = TrainingArguments(
    output_dir="out",
    num_train_epochs=2,
    per_device_train_batch_size=2,
    logging_strategy="epoch",
    eval_strategy="epoch",
    save_strategy="{saves}",
    report_to={report_to},
    disable_tqdm=True,
    use_cpu=True,
)
trainer = Trainer(Model(Config()), arguments, train_dataset=Pairs(), eval_dataset=Pairs(){callbacks})
trainer.remove_callback(transformers.PrinterCallback)
trainer.train({train})
"""
)

FASTAI = (
    TORCH
    + """
import fastai.callback.progress
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import mse
from {package}.fastai import DVCLiveCallback

pairs = [(torch.ones(3) * i, torch.tensor([float(i)])) for i in range(4)]
loaders = DataLoaders(
    *(torch.utils.data.DataLoader(pairs, batch_size=2) for _ in range(2))
)
learner = Learner(
    loaders, torch.nn.Linear(3, 1), loss_func=torch.nn.MSELoss(), opt_func={opt}, lr=0.01, metrics=mse
)
with learner.no_bar(), learner.no_logging():
    learner.fit(2, cbs=DVCLiveCallback({options}))
"""
)

KERAS = (
    DATA
    + """
import keras
from {package}.keras import DVCLiveCallback

model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros")])
model.compile(optimizer="sgd", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x[:40], y[:40], epochs=2, validation_data=(x[40:], y[40:]), callbacks=[DVCLiveCallback({options})], verbose=0)
"""
)

# What each needs, and its program where nothing else is said.
PROGRAMS: Mapping[str, tuple[str, str]] = {
    "xgb": ("xgboost", XGBOOST),
    "lgbm": ("lightgbm", LIGHTGBM),
    "lgbm one": ("lightgbm", LIGHTGBM_ONE),
    "optuna": ("optuna", OPTUNA),
    "lightning": ("lightning", LIGHTNING),
    "fabric": ("lightning", FABRIC),
    "huggingface": ("transformers", TRANSFORMERS),
    "fastai": ("fastai", FASTAI),
    "keras": ("keras", KERAS),
}
DEFAULTS = {
    "checkpoints": "False",
    "after": "",
    "imports": "from {package}.huggingface import DVCLiveCallback",
    "saves": "no",
    "report_to": "[]",
    "callbacks": ", callbacks=[DVCLiveCallback({options})]",
    "train": "",
    "opt": "__import__('fastai.optimizer', fromlist=['SGD']).SGD",
    "metric": "",
}


def program(name: str, package: str, options: str = "save_dvc_exp=False", **said: str) -> str:
    """Returns the code of a program."""
    return filled(PROGRAMS[name][1], package, options, **said)


def filled(code: str, package: str, options: str = "save_dvc_exp=False", **said: str) -> str:
    """Returns code with the places that were left open filled in."""
    values = {"package": package, "options": options}
    pieces = {key: value.format(**values) for key, value in {**DEFAULTS, **said}.items()}
    return code.format(**values, **pieces)
