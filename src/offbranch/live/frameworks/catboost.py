"""CatBoost: a callback for `fit` of its models. DVCLive has none; this one is like that for LightGBM."""

from typing import Any

from offbranch.live.frameworks.opening import open_live
from offbranch.live.logger import Live


class DVCLiveCallback:
    """Logs the metrics of each iteration as `data/metric`, such as `learn/Logloss`, and ends a step with it.

    CatBoost tells nobody that training has ended: call `callback.live.end()`, or use `with Live() as live`.

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

    def after_iteration(self, info: Any) -> bool:
        """Logs an iteration; training goes on (True).

        Args:
            info: What CatBoost tells its callbacks; of it `metrics` is read.
        """
        for data, metrics in (info.metrics or {}).items():
            for name, values in metrics.items():
                self.live.log_metric(f"{data}/{name}", values[-1])
        self.live.next_step()
        return True
