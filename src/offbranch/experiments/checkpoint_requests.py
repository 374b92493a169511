"""The directory by which commands ask for checkpoints: requests, replies, what Live writes (docs/formats/checkpoints.md).

The answering side. Nothing here knows what a checkpoint is.
"""

import json
import os
import select
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from offbranch.base.files import atomic_write, remove_file, remove_tree
from offbranch.base.paths import OB_DIR, ROOT, AbsPath, RepoPath, is_private, join, resolve_in
from offbranch.base.records import record

HANDOFF_DIR = f"{OB_DIR}/handoff"
# The protocol of DVC 2, below DVC_ROOT.
SIGNAL_FILE = ".dvc/tmp/DVC_CHECKPOINT"
_VERSION = 1
_LOOK_S = 0.1
# Nobody has more to say.
_MAX_BYTES = 1 << 20
# Where there is no FIFO, or its byte got lost.
_NEVER = 1e18


@record
class Request:
    """One wish.

    Attributes:
        id: Its identity; empty for the signal file.
        kind: `auto`, `every` or `explicit`.
        stage: Address of the stage that asks, where it knows.
        step: Of the training; None where that was not said.
        signal: The signal file.
        is_of_anybody: That is the one of the project, by which the command of any run may ask.
    """

    id: str
    kind: str = "explicit"
    stage: str | None = None
    step: int | None = None
    signal: AbsPath | None = None
    is_of_anybody: bool = False


class Handoff:
    """The directory of one run, and our end of its FIFO.

    Attributes:
        path: The directory.
    """

    def __init__(self, root: AbsPath, attempt_id: str, signal_roots: tuple[AbsPath, ...]) -> None:
        self.path = join(root, f"{HANDOFF_DIR}/{attempt_id}")
        self._root = root
        self._signals = tuple(dict.fromkeys(join(each, SIGNAL_FILE) for each in (root, *signal_roots)))
        os.makedirs(self.path, exist_ok=True)
        self._bell = self._ring = -1
        fifo = join(self.path, "wake")
        if hasattr(os, "mkfifo"):
            os.mkfifo(fifo, 0o600)
            self._bell = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            # Our own end for writing: without one the other would be readable all the time, for ever at its end.
            self._ring = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        remove_file(self._signals[0])  # of a command that was killed while it waited

    def say(self, *, mode: str, made: int, cost_s: float, next_at: float | None) -> None:
        """Tells how things are; without `next_at` nothing is to be asked for by itself."""
        state = {"version": _VERSION, "mode": mode, "made": made, "cost_s": round(cost_s, 4)}
        self._write("state.json", {**state, "next_at": _NEVER if next_at is None else next_at})

    def wait(self) -> None:
        """Returns when somebody may have asked, after a tenth of a second at the latest."""
        if self._bell < 0:
            time.sleep(_LOOK_S)
            return
        if select.select((self._bell,), (), (), _LOOK_S)[0]:
            with suppress(BlockingIOError):
                os.read(self._bell, 1 << 16)

    def wake(self) -> None:
        """Ends a `wait`; may be called from any thread."""
        if self._ring >= 0:
            with suppress(BlockingIOError):
                os.write(self._ring, b"\0")

    def requests(self) -> Iterator[Request]:
        """Yields what is asked for now, the oldest first."""
        names = [name for name in os.listdir(self.path) if name.startswith("request-") and name.endswith(".json")]
        for name in sorted(names, key=self._written_at):
            found = self._read(name)
            if found is not None:
                yield found
                continue
            with suppress(OSError):  # what is no file stays, and is nothing
                remove_file(join(self.path, name))
        for path in filter(_is_signal, self._signals):
            yield Request(id="", signal=path, is_of_anybody=path == self._signals[-1])

    def reply(self, request: Request, *, number: int | None, reason: str = "") -> None:
        """Answers a request; without a number it is declined.

        Raises:
            OSError: The request cannot be removed: it would be answered for ever.
        """
        if request.signal is not None:
            remove_file(request.signal)
            return
        is_taken = number is not None
        answer = {"version": _VERSION, "is_taken": is_taken, "number": number or 0, "reason": reason}
        with suppress(
            OSError
        ):  # there is no room for the answer: that nothing is asked for any more says that it is none
            self._write(f"reply-{request.id}.json", answer)
        remove_file(join(self.path, f"request-{request.id}.json"))

    def live_paths(self) -> tuple[RepoPath, ...]:
        """Returns what Live writes, inside of the project."""
        try:
            paths = json.loads(_read_some(join(self.path, "live.json")))["paths"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return ()
        if not isinstance(paths, list):
            return ()
        inside = (resolve_in(ROOT, path) for path in paths if isinstance(path, str) and "\0" not in path)
        return tuple(dict.fromkeys(path for path in inside if path is not None and not is_private(path)))

    def leave(self) -> None:
        """Lets who asks from now on find that nobody is there; may be called from any thread."""
        with suppress(OSError):
            remove_file(join(self.path, "wake"))

    def close(self) -> None:
        """Removes the directory; who asks from now on finds that nobody is there."""
        for descriptor in (self._bell, self._ring):
            if descriptor >= 0:
                os.close(descriptor)
        self._bell = self._ring = -1
        remove_tree(self.path)
        remove_file(self._signals[0])

    def _written_at(self, name: str) -> tuple[int, str]:
        try:
            return os.stat(join(self.path, name)).st_mtime_ns, name
        except OSError:
            return 0, name

    def _read(self, name: str) -> Request | None:
        try:
            data = json.loads(_read_some(join(self.path, name)))
            step = data.get("step")
            found = Request(
                id=str(data["id"]),
                kind=str(data.get("kind", "explicit")),
                stage=None if data.get("stage") is None else str(data["stage"]),
                step=None if step is None else int(step),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            return None
        is_its_own = name == f"request-{found.id}.json"
        return found if data.get("version") == _VERSION and is_its_own else None

    def _write(self, name: str, data: Mapping[str, Any]) -> None:
        atomic_write(join(self.path, name), json.dumps(data).encode())


def _is_signal(path: AbsPath) -> bool:
    """Tells whether the signal file is there; a directory of that name is none."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _read_some(path: AbsPath) -> bytes:
    """Returns the beginning of an ordinary file; does not wait for anybody."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"'{path}' is no file")
        return os.read(descriptor, _MAX_BYTES)
    finally:
        os.close(descriptor)
