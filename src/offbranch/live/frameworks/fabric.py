"""Lightning Fabric: a logger. The one for Lightning's trainer (`lightning.py`) is made of it."""

import os
import time
from collections.abc import Mapping
from typing import Any, Final

from lightning_utilities.core.rank_zero import rank_zero_only

from offbranch.base.plugins import load_first
from offbranch.live.errors import InvalidDataTypeError
from offbranch.live.frameworks.names import metric_name
from offbranch.live.frameworks.opening import end_failed, open_live, repeat_from, written_params
from offbranch.live.logger import Live

_COARSE_S: Final = 0.01  # by which a file system's clock may be behind
# The package is called `lightning`, and before it was two.
_Logger: Any = load_first("lightning.fabric.loggers.logger:Logger", "lightning_fabric.loggers.logger:Logger")
_on_rank_zero: Any = load_first(
    "lightning.fabric.loggers.logger:rank_zero_experiment", "lightning_fabric.loggers.logger:rank_zero_experiment"
)


class DVCLiveLogger(_Logger):
    """Logs metrics and hyperparameters, in the process of rank 0 alone; can be pickled."""

    def __init__(
        self, run_name: str | None = None, prefix: str = "", experiment: Live | None = None, **kwargs: Any
    ) -> None:
        """Remembers how to log; nothing is opened before something is logged.

        Args:
            run_name: Version of the logger, in the paths of files that Lightning makes.
            prefix: A level that names of metrics begin with.
            experiment: An open `Live`, or None.
            **kwargs: Arguments for a new one.
        """
        super().__init__()
        self._version = run_name
        self._prefix = prefix
        self._experiment = None if experiment is None else open_live(experiment, kwargs)
        self._kwargs = kwargs
        self._last_step: int | None = None
        self._made = time.time()
        self._is_handed_on = False

    @property
    def name(self) -> str:
        """Name of the logger, in the paths of files that Lightning makes: that of DVCLive's."""
        return "DvcLiveLogger"

    @property
    def version(self) -> str | None:
        """The name of the run."""
        return self._version

    @property
    @_on_rank_zero
    def experiment(self) -> Live:
        """The `Live`, opened when it is first asked for."""
        if self._experiment is None:
            goes_on = {"resume": True} if self._is_handed_on and self._has_logged_elsewhere() else {}
            self._experiment = Live(**{**self._kwargs, **goes_on})
        return self._experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Logs metrics, and ends a step.

        Args:
            metrics: Name -> number, or tensor of one element.
            step: Of training; None: the next one.

        Raises:
            ValueError: A value is something else.
        """
        self._log(metrics, step)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Logs parameters: a map or a namespace, also with values that YAML does not have."""
        self.experiment.log_params(written_params(params or {}))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Ends logging; no experiment is saved of what has failed.

        Args:
            status: `success`, or what else Lightning says.
        """
        if self._experiment is None:
            return
        if status in ("failed", "aborted"):
            end_failed(self._experiment)
        else:
            self._experiment.end()

    def _log(self, metrics: Mapping[str, Any], step: int | None, *, checkpoint: bool = True) -> None:
        live = self.experiment
        if step is None:
            step = (live.step or 1) if self._last_step is None else self._last_step + 1
        elif self._last_step is None and isinstance(live, Live):
            repeat_from(live, step)
        live.step = self._last_step = step
        for name, value in metrics.items():
            shown = metric_name(name, "lightning")
            try:
                live.log_metric(f"{self._prefix}/{shown}" if self._prefix else shown, value)
            except InvalidDataTypeError as error:
                raise ValueError(f"'{name}' is neither a number nor a tensor of one element: {value!r}") from error
        live.next_step(checkpoint=checkpoint)

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets: a `Live` that is open here is opened there again, and goes on."""
        state = dict(self.__dict__)
        self._is_handed_on = True
        if state.pop("_experiment") is not None:
            state["_kwargs"] = {**self._kwargs, "dir": self._directory(), "resume": True}
        return {**state, "_experiment": None}

    def _directory(self) -> str:
        return str(os.fspath(self._kwargs.get("dir", self._experiment.dir if self._experiment else "dvclive")))

    def _has_logged_elsewhere(self) -> bool:
        """Tells whether a process that was handed the logger has written since it was made, as ranks that are spawned do."""
        try:
            return os.stat(os.path.join(self._directory(), "metrics.json")).st_mtime >= self._made - _COARSE_S
        except OSError:
            return False
