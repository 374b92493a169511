"""XGBoost: a callback for `xgboost.train`, `xgboost.cv` and its estimators."""

from collections.abc import Mapping, Sequence
from typing import Any

from xgboost.callback import TrainingCallback

from offbranch.live.frameworks.opening import go_on, open_live
from offbranch.live.logger import Live


class DVCLiveCallback(TrainingCallback):
    """Logs the metrics of each round as `data/metric`, and ends a step with it.

    Attributes:
        live: Where it logs.
    """

    def __init__(self, metric_data: str | None = None, live: Live | None = None, **kwargs: Any) -> None:
        """Opens what it logs to.

        Args:
            metric_data: Name of the one data set whose metrics are logged, without its name; None: of all of them.
            live: An open `Live`, or None.
            **kwargs: Arguments for a new one.
        """
        super().__init__()
        self._metric_data = metric_data
        self.live = open_live(live, kwargs)
        self._has_ended = False

    def before_training(self, model: Any) -> Any:
        """Goes on, if it has been trained with before, and returns the model."""
        go_on(self.live, has_ended=self._has_ended)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Sequence[Any]]]) -> bool:
        """Logs a round; training goes on (False)."""
        if self._metric_data is not None:
            self._log("", evals_log.get(self._metric_data, {}))
        else:
            for data, metrics in evals_log.items():
                self._log(f"{data}/", metrics)
        self.live.next_step()
        return False

    def after_training(self, model: Any) -> Any:
        """Ends logging, and returns the model."""
        self.live.end()
        self._has_ended = True
        return model

    def _log(self, level: str, metrics: Mapping[str, Sequence[Any]]) -> None:
        for name, values in metrics.items():
            newest = values[-1]
            # Of cross-validation there is a mean and a deviation.
            self.live.log_metric(f"{level}{name}", newest[0] if isinstance(newest, tuple) else newest)
