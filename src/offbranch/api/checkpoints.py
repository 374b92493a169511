"""Asking for a checkpoint of the experiment that runs the command we are in; making it is done by the `ob` that runs it."""

from offbranch.api.session import Session
from offbranch.base.errors import NotFoundError, OffbranchError
from offbranch.live.handoff import checkpoint as ask
from offbranch.live.handoff import request


def checkpoint(session: Session, *, step: int | None = None) -> int | None:
    """Makes a checkpoint of the running experiment: the outputs of its stage as they are now.

    Returns as soon as these are safe; they are committed while the command goes on.

    Args:
        session: Its environment tells of the run.
        step: Of the training, to be noted with it.

    Returns:
        Its number in the chain of the experiment; None in a stage whose run makes none: `repro`, or checkpoints are off.

    Raises:
        NotFoundError: Nothing runs us, or that is gone.
        OffbranchError: It was declined; the message says why.
    """
    variables = session.environment.all
    directory = variables.get("OFFBRANCH_HANDOFF")
    if variables.get("OFFBRANCH_CHECKPOINT") == "off" or (not directory and variables.get("DVC_ROOT")):
        return None
    if not directory:
        raise NotFoundError(
            "no experiment runs this command, so there is nothing to make a checkpoint of",
            hint="use it in the command of a stage, and run that with 'ob exp run'",
        )
    reply = request(directory, kind="explicit", stage=variables.get("DVC_STAGE", ""), step=step)
    if reply is None:
        raise NotFoundError(
            f"the 'ob exp run' that made '{directory}' is not there any more",
            hint="a command that is left behind by its run cannot make checkpoints",
        )
    if reply.get("is_taken") is not True:
        raise OffbranchError(
            f"no checkpoint was made: {reply.get('reason') or 'it was declined'}",
            hint="'ob exp run' says what went wrong; --no-checkpoint and exp.checkpoint = off turn them off",
        )
    return int(reply.get("number", 0))


def make_checkpoint() -> None:
    """Makes a checkpoint of the experiment that runs this program; does nothing outside of one. As in `dvc.api` of DVC 2."""
    ask()
