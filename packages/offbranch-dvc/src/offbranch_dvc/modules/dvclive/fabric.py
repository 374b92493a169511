"""`dvclive.fabric`."""

from offbranch.live.frameworks.fabric import DVCLiveLogger as DVCLiveLogger
