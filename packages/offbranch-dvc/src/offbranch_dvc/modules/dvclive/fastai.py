"""`dvclive.fastai`."""

from offbranch.live.frameworks.fastai import DVCLiveCallback as DVCLiveCallback
