"""`dvclive.huggingface`."""

from offbranch.live.frameworks.huggingface import DVCLiveCallback as DVCLiveCallback
