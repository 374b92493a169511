"""Transformers: a callback for its `Trainer`.

Transformers has one of its own (`report_to="dvclive"`) that imports `dvclive`: it works with our drop-in distribution.
"""

import os
from collections.abc import Mapping
from typing import Any, Literal

from transformers import TrainerCallback

from offbranch.base.environ import some_variables
from offbranch.base.plugins import load
from offbranch.live.faults import say
from offbranch.live.frameworks.names import metric_name
from offbranch.live.frameworks.opening import open_live, written_params
from offbranch.live.logger import Live
from offbranch.live.values import is_metric


class DVCLiveCallback(TrainerCallback):
    """Logs what the trainer logs, as `train/…` and `eval/…`, and ends a step with each time it does.

    A checkpoint of the experiment is asked for when the trainer has saved one of its own (`save_strategy`), or with each
    step if it saves none.

    Attributes:
        live: Where it logs.
    """

    def __init__(self, live: Live | None = None, log_model: Literal["all"] | bool | None = None, **kwargs: Any) -> None:
        """Opens what it logs to.

        Args:
            live: An open `Live`, or None.
            log_model: True: log the model at the end as an artifact, `best` with `load_best_model_at_end`, else `last`. `all`:
                log the directory of the trainer whenever it has saved. None: what HF_DVCLIVE_LOG_MODEL says.
            **kwargs: Arguments for a new one.
        """
        super().__init__()
        self._log_model = _wish() if log_model is None else log_model
        self.live = open_live(live, kwargs)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Logs the arguments of the trainer as parameters."""
        if state.is_world_process_zero:
            self.live.log_params(written_params(args.to_dict()))

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """Logs what the trainer logs."""
        if not state.is_world_process_zero:
            return
        for name, value in (logs or {}).items():
            if is_metric(value):
                self.live.log_metric(metric_name(name, "huggingface"), value)
            else:
                say("warning", f"'{name}' is not logged: {type(value).__name__} is neither a number nor text")
        self.live.next_step(checkpoint=not _saves(args))

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Logs what the trainer has saved, if that was wished, and asks for a checkpoint if one is due."""
        if not state.is_world_process_zero:
            return
        if self._log_model == "all":
            self.live.log_artifact(args.output_dir)
        self.live.offer_checkpoint()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Logs the model, if that was wished, and ends logging."""
        if not state.is_world_process_zero:
            return
        if self._log_model is True:
            name = "best" if args.load_best_model_at_end else "last"
            directory = os.path.join(args.output_dir, name)
            _save(directory, kwargs.get("model"), kwargs.get("processing_class"))
            self.live.log_artifact(directory, name=name, type="model", copy=True)
        self.live.end()


def _save(directory: str, model: Any, processing: Any) -> None:
    if hasattr(model, "save_pretrained"):
        model.save_pretrained(directory)
    else:
        os.makedirs(directory, exist_ok=True)
        load("torch:save")(model.state_dict(), os.path.join(directory, "pytorch_model.bin"))
    if hasattr(processing, "save_pretrained"):
        processing.save_pretrained(directory)


def _saves(args: Any) -> bool:
    """Tells whether the trainer saves checkpoints: its strategy is an enumeration whose values are text."""
    return str(getattr(args.save_strategy, "value", args.save_strategy)) != "no"


def _wish() -> Literal["all"] | bool:
    said = some_variables(("HF_DVCLIVE_LOG_MODEL",)).get("HF_DVCLIVE_LOG_MODEL", "").lower()
    return "all" if said == "all" else said in ("1", "on", "true", "yes")
