"""`dvclive.lgbm`."""

from offbranch.live.frameworks.lgbm import DVCLiveCallback as DVCLiveCallback
