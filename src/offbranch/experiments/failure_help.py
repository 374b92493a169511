"""What is said of a run that has failed or was stopped: why, where its output is, and how it goes on."""

from shlex import quote

from offbranch.experiments.experiment import Attempt, Where


def cause_of(error: BaseException) -> str:
    """Returns what an error says, in one line for people."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error) or type(error).__name__


def hint_of_failure(attempt: Attempt, *, has_failed: bool) -> str | None:
    """Returns where to look, and how the run goes on if it has made checkpoints; None where there is nothing to say.

    Args:
        attempt: As it was last recorded.
        has_failed: A command of it failed, so that its output may tell why.
    """
    parts = [f"all it printed is in '{attempt.log}'"] if has_failed else []
    if attempt.checkpoint is not None and attempt.task_id is None:
        where = " --temp" if attempt.where is Where.TEMPORARY else ""
        command = f"ob exp run --resume {quote(attempt.name)}{where}"
        parts.append(f"to go on from checkpoint {attempt.checkpoints}: {command}")
    return "; ".join(parts) or None
