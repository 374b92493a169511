"""`dvclive.xgb`."""

from offbranch.live.frameworks.xgb import DVCLiveCallback as DVCLiveCallback
