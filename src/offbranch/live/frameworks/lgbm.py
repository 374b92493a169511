"""LightGBM: a callback for `lightgbm.train`, `lightgbm.cv` and its estimators."""

from typing import Any

from offbranch.live.frameworks.opening import open_live
from offbranch.live.logger import Live


class DVCLiveCallback:
    """Logs what is evaluated after each round, and ends a step with it.

    Where more than one value is evaluated, names are `data/metric`. LightGBM tells nobody that training has ended: call
    `callback.live.end()`, or use `with Live() as live`.

    Attributes:
        live: Where it logs.
    """

    def __init__(self, live: Live | None = None, **kwargs: Any) -> None:
        """Opens what it logs to.

        Args:
            live: An open `Live`, or None.
            **kwargs: Arguments for a new one.
        """
        self.live = open_live(live, kwargs)

    def __call__(self, env: Any) -> None:
        """Logs a round.

        Args:
            env: What LightGBM tells its callbacks; of it `evaluation_result_list` is read.
        """
        results = env.evaluation_result_list or ()
        for data, metric, value, *_ in results:
            self.live.log_metric(f"{data}/{metric}" if len(results) > 1 else metric, value)
        self.live.next_step()
