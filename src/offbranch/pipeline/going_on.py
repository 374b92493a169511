"""Stages that do not begin anew: they go on from a checkpoint, or had ended before it. And the opposite: they start over.

The pipeline only knows what it must do otherwise about them; `experiments/go_on.py` knows where the outputs come from.
"""

from collections.abc import Callable, Mapping

from offbranch.base.records import field, record, replace
from offbranch.pipeline.reasons import Reason
from offbranch.pipeline.stage import Output, Stage

RESUME_VARIABLE = "DVCLIVE_RESUME"


def _nowhere(_stage: Stage) -> None:
    """Puts nothing anywhere."""


@record
class GoingOn:
    """What a run does about stages that an earlier one has not finished, or that keep their outputs between runs.

    Attributes:
        numbers: Address of each stage that goes on -> the checkpoint.
        ended: Addresses of stages that had come to their end by then: one runs again only where something that it depends on
            has changed, also if it always runs otherwise; where it is in `numbers` too, it goes on then.
        put_in_place: Makes the outputs of such a stage what they were at the checkpoint, as files of their own; called when
            what was there has been removed or kept.
        starts_over: Outputs that stay between runs are removed as well.
    """

    numbers: Mapping[str, int] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()
    put_in_place: Callable[[Stage], None] = _nowhere
    starts_over: bool = False

    def reason(self, stage: Stage) -> Reason | None:
        """Returns why a stage runs whatever else holds; None for one that is decided about as ever."""
        if stage.command is None or stage.frozen or stage.address in self.ended:
            return None
        if stage.address in self.numbers:
            number = self.numbers[stage.address]
            return Reason(code="checkpoint", text=f"it goes on from checkpoint {number}")
        if self.starts_over and any(stays(out) for out in stage.outs):
            return Reason(code="reset", text="it starts over")
        return None

    def keeps(self, out: Output) -> bool:
        """Tells whether an output is left where it is before the command of its stage."""
        return stays(out) and not self.starts_over


NOT_GOING_ON = GoingOn()


def without_stays(stage: Stage) -> Stage:
    """Returns a stage as if it ran only where something has changed, and none of its outputs stayed between runs."""
    return replace(
        stage, always_changed=False, outs=tuple(replace(out, persist=False, checkpoint=False) for out in stage.outs)
    )


def stays(out: Output) -> bool:
    """Tells whether an output stays between runs."""
    return out.persist or out.checkpoint
