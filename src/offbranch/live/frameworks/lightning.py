"""PyTorch Lightning: a logger for its trainer."""

import os
from collections.abc import Mapping
from typing import Any, Literal

from lightning_utilities.core.rank_zero import rank_zero_only

from offbranch.base.plugins import load_first
from offbranch.live.frameworks import fabric
from offbranch.live.logger import Live

_Logger: Any = load_first("lightning.pytorch.loggers.logger:Logger", "pytorch_lightning.loggers.logger:Logger")


class DVCLiveLogger(_Logger, fabric.DVCLiveLogger):
    """Logs metrics at the steps of the trainer, hyperparameters, and, if that is wished, models.

    A checkpoint of the experiment is asked for when the trainer has saved one of its own, and until it has done so for the
    first time, or if it never does, when metrics are logged. A trainer that logs the means of an epoch only after it has saved,
    and would not log them again when it goes on from there, is waited for from the second time on.
    """

    def __init__(
        self,
        run_name: str | None = "dvclive_run",
        prefix: str = "",
        log_model: Literal["all"] | bool = False,
        experiment: Live | None = None,
        **kwargs: Any,
    ) -> None:
        """Remembers how to log; nothing is opened before something is logged.

        Args:
            run_name: Version of the logger: the trainer saves below `DvcLiveLogger/<run_name>/checkpoints`.
            prefix: A level that names of metrics begin with.
            log_model: True: log what the trainer has saved, and the best of it as the model `best`, at the end. `all`: what it
                has saved whenever it saves, too.
            experiment: An open `Live`, or None.
            **kwargs: Arguments for a new one.
        """
        fabric.DVCLiveLogger.__init__(self, run_name=run_name, prefix=prefix, experiment=experiment, **kwargs)
        self._log_model = log_model
        self._best: tuple[str, str] | None = None
        self._has_saved = False
        self._saved_step = 0  # steps below it were done when the trainer saved
        self._is_asking_late = False
        self._is_owed = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Logs metrics, and ends a step: see the logger of Fabric."""
        is_of_saved = self._has_saved and step is not None and step < self._saved_step
        if self._is_owed and not is_of_saved:
            self._is_asking_late = False
            self._ask()
        self._log(metrics, step, checkpoint=not self._has_saved)
        if is_of_saved:
            self._is_asking_late = True
            self._ask()

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Is called when the trainer has saved a checkpoint of its own.

        Args:
            checkpoint_callback: What has saved it; of it `dirpath`, `best_model_path` and `last_model_path` are read.
        """
        self._has_saved = True
        best = checkpoint_callback.best_model_path or checkpoint_callback.last_model_path
        self._best = (str(checkpoint_callback.dirpath), str(best))
        if self._log_model == "all":
            self.experiment.log_artifact(self._best[0])
        last = -1 if self._last_step is None else self._last_step
        # Number of steps that the trainer has done; it says it to nobody else.
        self._saved_step = max(last + 1, int(getattr(checkpoint_callback, "_last_global_step_saved", 0) or 0))
        self._is_owed = True
        if not self._is_asking_late:
            self._ask()

    def _ask(self) -> None:
        self._is_owed = False
        self.experiment.offer_checkpoint()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Logs models, if that was wished, and ends logging; no experiment is saved of what has failed."""
        if self._log_model and self._best is not None and status not in ("failed", "aborted"):
            directory, best = self._best
            if os.path.isdir(directory):
                self.experiment.log_artifact(directory)
            if os.path.exists(best):
                self.experiment.log_artifact(best, name="best", type="model", copy=True)
        fabric.DVCLiveLogger.finalize(self, status)
