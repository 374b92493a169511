"""`dvclive.lightning`."""

from offbranch.live.frameworks.lightning import DVCLiveLogger as DVCLiveLogger
