"""Optuna: a callback for `study.optimize` that makes an experiment of each trial."""

from collections.abc import Sequence
from typing import Any

from offbranch.live.logger import Live


class DVCLiveCallback:
    """Saves each trial as an experiment, with its parameters and what came out."""

    def __init__(self, metric_name: str | Sequence[str] = "metric", **kwargs: Any) -> None:
        """Remembers how to log.

        Args:
            metric_name: Name of what the objective returns. If that is several values: their names, or one name that is
                followed by `_0`, `_1`, ….
            **kwargs: Arguments for the `Live` of each trial; `dir` is `dvclive-optuna` by default.
        """
        self.metric_name = metric_name
        self.live_kwargs = {"dir": "dvclive-optuna", **kwargs}

    def __call__(self, study: Any, trial: Any) -> None:
        """Saves a trial that has ended.

        Args:
            study: That it belongs to.
            trial: As it was recorded.
        """
        with Live(**self.live_kwargs) as live:
            live.log_params(trial.params)
            values = trial.values or ()
            for name, value in zip(self._names(len(values)), values, strict=True):
                live.log_metric(name, value, plot=False)

    def _names(self, n_values: int) -> list[str]:
        if isinstance(self.metric_name, str):
            return [self.metric_name] if n_values == 1 else [f"{self.metric_name}_{i}" for i in range(n_values)]
        if n_values not in (0, len(self.metric_name)):
            raise ValueError(f"the objective has {n_values} values, and 'metric_name' names {len(self.metric_name)}")
        return list(self.metric_name)[:n_values]
