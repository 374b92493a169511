"""fastai: a callback for its learners."""

from typing import Any

from fastai.callback.core import Callback

from offbranch.live.frameworks.names import metric_name
from offbranch.live.frameworks.opening import go_on, open_live, written_params
from offbranch.live.logger import Live
from offbranch.live.values import is_metric


class DVCLiveCallback(Callback):
    """Logs what the learner is, and the metrics of each epoch, and ends a step with it.

    Attributes:
        live: Where it logs.
    """

    order = 70  # after the recorder, and after the callback that saves the model

    def __init__(self, with_opt: bool = False, live: Live | None = None, **kwargs: Any) -> None:
        """Opens what it logs to.

        Args:
            with_opt: Log the optimiser and its hyperparameters, too.
            live: An open `Live`, or None.
            **kwargs: Arguments for a new one.
        """
        super().__init__()
        self.with_opt = with_opt
        self.live = open_live(live, kwargs)
        self._has_ended = False

    def before_fit(self) -> None:
        """Logs parameters; looking for a learning rate and predicting are no training."""
        if not self._is_training():
            return
        go_on(self.live, has_ended=self._has_ended)  # fine_tune fits twice
        learner = self.learn
        data = learner.dls
        self.live.log_params(
            {
                "model": type(learner.model).__name__,
                "batch_size": getattr(data, "bs", None),
                "batch_per_epoch": len(data.train),
                "frozen": bool(getattr(learner.opt, "frozen_idx", 0)),
                "frozen_idx": int(getattr(learner.opt, "frozen_idx", 0)),
                "transforms": str(getattr(data, "tfms", None)),
            }
        )
        if self.with_opt:
            self.live.log_params(written_params(_optimiser(learner)))

    def after_epoch(self) -> None:
        """Logs an epoch."""
        if not self._is_training():
            return
        recorder = self.learn.recorder
        values = {
            name: float(value)
            for name, value in zip(recorder.metric_names, recorder.log, strict=False)
            if name != "epoch" and is_metric(value) and not isinstance(value, str)  # a text is the time
        }
        if not values:
            return  # the epoch was skipped: `fit(…, start_epoch=3)`, with which training goes on
        for name, value in values.items():
            self.live.log_metric(metric_name(name, "fastai"), value)
        self.live.next_step()

    def after_fit(self) -> None:
        """Ends logging."""
        if self._is_training():
            self.live.end()
            self._has_ended = True

    def _is_training(self) -> bool:
        return not any(hasattr(self.learn, name) for name in ("lr_finder", "gather_preds"))


def _optimiser(learner: Any) -> dict[str, Any]:
    function = learner.opt_func
    name = getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", str(function))
    hypers = dict(learner.opt.hypers[-1]) if learner.opt is not None else {}
    return {"opt_func": name, **hypers}
