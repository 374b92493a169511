"""What dvc.lock says of a stage whose command had not ended when a checkpoint was made (docs/formats/checkpoints.md)."""

import re

Command = str | tuple[str, ...]
_MARK = re.compile(r"(.*) # checkpoint (\d+)", re.DOTALL)


def unfinished_at(command: Command | None, recorded: Command | None) -> int | None:
    """Returns the number of the checkpoint that a command was at when it was recorded; None for one that has ended.

    Args:
        command: That of the stage, as it is now.
        recorded: That of its entry in dvc.lock.
    """
    last, was = (_last(each) for each in (command, recorded))
    if last is None or was is None or type(command) is not type(recorded):
        return None
    if isinstance(command, tuple) and isinstance(recorded, tuple) and command[:-1] != recorded[:-1]:
        return None
    found = _MARK.fullmatch(was)
    return int(found[2]) if found is not None and found[1] == last.rstrip("\n") else None


def checkpoint_of(recorded: Command | None) -> int | None:
    """Returns the number of the checkpoint that a recorded command was at, whatever it is now; None for one that has ended."""
    found = _MARK.fullmatch(_last(recorded) or "")
    return None if found is None else int(found[2])


def _last(command: Command | None) -> str | None:
    if isinstance(command, tuple):
        return command[-1] if command else None
    return command
