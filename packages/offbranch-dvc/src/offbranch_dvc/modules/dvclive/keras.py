"""`dvclive.keras`."""

from offbranch.live.frameworks.keras import DVCLiveCallback as DVCLiveCallback
