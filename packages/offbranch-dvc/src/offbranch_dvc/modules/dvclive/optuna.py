"""`dvclive.optuna`."""

from offbranch.live.frameworks.optuna import DVCLiveCallback as DVCLiveCallback
