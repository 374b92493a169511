"""Who is told of the commands of stages while they run: checkpoints are made by that.

A seam: the pipeline knows nothing of experiments. `experiments/checkpointer.py` has the real one.
"""

from collections.abc import Mapping
from typing import Protocol

from offbranch.pipeline.stage import LockedStage, Stage


class CommandWatcher(Protocol):
    """Is told when the commands of a stage begin and end; everything is called from the main thread.

    Neither call may raise for its own faults: a run does not fail because nobody could watch it.
    """

    def began(self, stage: Stage, described: LockedStage) -> Mapping[str, str]:
        """Hears that the commands of a stage are about to run; its outputs have been removed or are left in place.

        Args:
            stage: The stage.
            described: Its dependencies and parameters as they are now, before the first command.

        Returns:
            Variables for the commands, added to the others.
        """
        ...

    def ended(self, stage: Stage) -> None:
        """Hears that they have ended, well or not, and finishes what it does about them; nothing is recorded of them yet."""
        ...

    def recorded(self, stage: Stage) -> None:
        """Hears that what they have made is recorded; not called for a stage that has failed."""
        ...


class NoWatcher:
    """Nobody watches."""

    def began(self, stage: Stage, described: LockedStage) -> Mapping[str, str]:
        return {}

    def ended(self, stage: Stage) -> None:
        return None

    def recorded(self, stage: Stage) -> None:
        return None


UNWATCHED = NoWatcher()
