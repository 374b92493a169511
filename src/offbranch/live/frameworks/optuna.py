"""Optuna: a callback for `study.optimize` that makes an experiment of each trial."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any, Final

from offbranch.base.errors import LockedError
from offbranch.base.locks import hold_lock
from offbranch.base.paths import AbsPath
from offbranch.live.frameworks.opening import written_params
from offbranch.live.logger import Live
from offbranch.live.surroundings import look_around

_LOCK: Final = ".dvc/tmp/ob/optuna.lock"
_PATIENCE_S: Final = 60.0
_one_thread = Lock()


class DVCLiveCallback:
    """Saves each trial as an experiment, with its parameters and what came out.

    Trials that end side by side, in threads (`n_jobs`) or in several processes of one project, are saved one after another.
    """

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
        with _alone(), Live(**self.live_kwargs) as live:
            live.log_params(written_params(trial.params))
            values = trial.values or ()
            for name, value in zip(self._names(len(values)), values, strict=True):
                live.log_metric(name, value, plot=False)

    def _names(self, n_values: int) -> list[str]:
        if isinstance(self.metric_name, str):
            return [self.metric_name] if n_values == 1 else [f"{self.metric_name}_{i}" for i in range(n_values)]
        if n_values not in (0, len(self.metric_name)):
            raise ValueError(f"the objective has {n_values} values, and 'metric_name' names {len(self.metric_name)}")
        return list(self.metric_name)[:n_values]


@contextmanager
def _alone() -> Iterator[None]:
    """Has the directory of the trials to itself, as far as that can be had: it holds one trial at a time."""
    with _one_thread, ExitStack() as stack:
        project = look_around().project
        if project is not None:
            try:
                stack.enter_context(hold_lock(AbsPath(os.path.join(project, _LOCK)), wait_s=_PATIENCE_S))
            except (LockedError, OSError):
                pass  # somebody has stopped in the middle, or nothing can be written here: training goes on
        yield
