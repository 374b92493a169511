"""The asking side of checkpoints (docs/formats/checkpoints.md): `ob`, which runs the command, is asked by a file and a byte.

Also tells `ob` what Live writes. Asking costs nothing but a look at the clock until a checkpoint is due.
"""

import errno
import os
import time
from typing import Any, Final

from offbranch.base.plugins import load
from offbranch.live.faults import is_of_handler
from offbranch.live.formats import read_json, replace_file
from offbranch.live.registry import flush_all
from offbranch.live.surroundings import Surroundings, look_around

PATIENCE_S: Final = 60.0
_NEVER: Final = float("inf")
# How long a refusal holds, and how often `state.json` is looked at while it is not time yet.
_PAUSE_S: Final = 0.1
_LOOK_S: Final = 1.0


class Asking:
    """Asks for checkpoints while a program runs.

    Attributes:
        next_at: Time of the monotonic clock before which no step asks.
    """

    __slots__ = ("_directory", "_kind", "_stage", "next_at")

    def __init__(self, directory: str, *, kind: str, stage: str) -> None:
        """Prepares to ask.

        Args:
            directory: The handoff directory.
            kind: `auto`, or `every` for a checkpoint at each step.
            stage: Address of the stage that runs.
        """
        self._directory = directory
        self._kind = kind
        self._stage = stage
        self.next_at = 0.0

    def is_due(self, now: float) -> bool:
        """Tells whether a step should ask: `now` is past the time that ob has named."""
        if now < self.next_at:
            return False
        if self._kind == "every":
            return True
        state = read_json(os.path.join(self._directory, "state.json"))
        named = state.get("next_at", 0.0) if state else _NEVER
        # What is named may become earlier: while one is committed, it is never.
        self.next_at = min(float(named) if isinstance(named, int | float) else _NEVER, now + _LOOK_S)
        return now >= self.next_at

    def ask(self, step: int | None) -> bool:
        """Asks, and waits until the outputs of this moment are safe; returns whether there is a checkpoint of them."""
        began = time.monotonic()
        reply = request(self._directory, kind=self._kind, stage=self._stage, step=step)
        if reply is None:
            self.next_at = _NEVER
            return False
        if self._kind != "every":
            # What it costs is known only when it is committed: until then its time is a guess.
            took_s = time.monotonic() - began
            self.next_at = began + max(_PAUSE_S, 5 * took_s)
        return reply.get("is_taken") is True


def request(directory: str, *, kind: str, stage: str, step: int | None) -> dict[str, Any] | None:
    """Asks for a checkpoint and waits for the reply; None if there is nobody to ask.

    Args:
        directory: The handoff directory.
        kind: `auto`, `every` or `explicit`.
        stage: Address of the stage that runs.
        step: Of training, where it is known.
    """
    own_id = os.urandom(8).hex()
    asked, replied = (os.path.join(directory, f"{what}-{own_id}.json") for what in ("request", "reply"))
    value = {"version": 1, "id": own_id, "pid": os.getpid(), "stage": stage, "step": step, "kind": kind}
    try:
        if not os.path.isdir(directory):
            return None
        replace_file(asked, load("json").dumps(value).encode())
        if not _wake(directory):
            return None
        return _await(directory, asked, replied)
    except OSError as error:
        if is_of_handler(error):
            raise
        return _declined(error.strerror or str(error))  # a full disk, no descriptor left: another time
    finally:
        _remove(asked)
        _remove(replied)


def checkpoint(step: int | None = None) -> bool:
    """Makes a checkpoint of the experiment that runs this program: its outputs as they are now.

    Returns when these are safe; the rest is done beside the program.

    Args:
        step: Of training, to be noted with it.

    Returns:
        Whether there is one: False outside of `ob exp run`, and where checkpoints are off.
    """
    around = look_around()
    if around.handoff is None or around.checkpoint == "off":
        return False
    flush_all()
    reply = request(around.handoff, kind="explicit", stage=around.stage, step=step)
    return reply is not None and reply.get("is_taken") is True


def asking_of(around: Surroundings, *, wish: bool | None) -> Asking | None:
    """Returns what `next_step` asks with; None if it does not.

    Args:
        around: What surrounds the program.
        wish: What the program wants: a checkpoint at each step, none, or what the run is set to (None).
    """
    if around.handoff is None or around.checkpoint == "off" or wish is False:
        return None
    return Asking(around.handoff, kind="every" if wish else around.checkpoint, stage=around.stage)


def tell_paths(handoff: str, paths: tuple[str, ...]) -> None:
    """Adds to what `ob` takes into the commit of the experiment.

    Args:
        handoff: The handoff directory.
        paths: What is written; native, absolute or as seen from the current directory.

    Raises:
        OSError: It cannot be written.
    """
    root = os.path.realpath(os.path.join(handoff, *[os.pardir] * 5))
    file = os.path.join(handoff, "live.json")
    known = [path for path in read_json(file).get("paths", ()) if isinstance(path, str)]
    seen = (os.path.relpath(os.path.realpath(path), root).replace(os.sep, "/") for path in paths)
    wanted = [*known, *(path for path in seen if path not in known and path != "." and not path.startswith("../"))]
    if wanted != known:
        replace_file(file, load("json").dumps({"version": 1, "paths": wanted}).encode())


def _wake(directory: str) -> bool:
    """Writes a byte to the FIFO; False if nobody reads it."""
    try:
        descriptor = os.open(os.path.join(directory, "wake"), os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return False
        raise
    try:
        os.write(descriptor, b"\0")
    except BlockingIOError:  # it is full of bytes that wake already
        pass
    finally:
        os.close(descriptor)
    return True


def _await(directory: str, asked: str, replied: str) -> dict[str, Any] | None:
    """Waits for a reply; looks now and then whether somebody is still there, and the request too."""
    began = time.monotonic()
    pause_s, looked = 0.001, began
    while True:
        reply = read_json(replied)
        if reply:
            return reply
        now = time.monotonic()
        if now - looked > 1.0:
            looked = now
            if now - began > PATIENCE_S:
                return _declined("no reply")
            is_waiting = os.path.exists(asked)
            if not _wake(directory):
                return read_json(replied) or None
            if not is_waiting:  # there was no room for the reply, unless it has just come
                return read_json(replied) or _declined("there was no room for the reply")
        time.sleep(pause_s)
        pause_s = min(0.01, pause_s * 1.2)


def _declined(reason: str) -> dict[str, Any]:
    return {"is_taken": False, "reason": reason}


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
