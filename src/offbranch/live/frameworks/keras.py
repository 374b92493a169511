"""Keras 3, with any of its backends: a callback for `fit`."""

from collections.abc import Mapping
from typing import Any

from keras.callbacks import Callback

from offbranch.live.frameworks.names import metric_name
from offbranch.live.frameworks.opening import go_on, open_live
from offbranch.live.logger import Live


class DVCLiveCallback(Callback):
    """Logs the metrics of each epoch, as `train/…` and `eval/…`, and ends a step with it.

    A callback that saves the model belongs before this one, so that a checkpoint of the experiment has the model of its epoch.

    Attributes:
        live: Where it logs.
    """

    def __init__(self, save_weights_only: bool = False, live: Live | None = None, **kwargs: Any) -> None:
        """Opens what it logs to.

        Args:
            save_weights_only: For programs written for DVCLive, which has it; models are saved by Keras's ModelCheckpoint.
            live: An open `Live`, or None.
            **kwargs: Arguments for a new one.
        """
        super().__init__()
        self.save_weights_only = save_weights_only
        self.live = open_live(live, kwargs)
        self._has_ended = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Goes on, if the model has been trained before."""
        go_on(self.live, has_ended=self._has_ended)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Logs an epoch."""
        for name, value in (logs or {}).items():
            self.live.log_metric(metric_name(name, "keras"), value)
        self.live.next_step()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Ends logging."""
        self.live.end()
        self._has_ended = True
