"""`dvclive.live`."""

from offbranch.live.logger import Live as Live
