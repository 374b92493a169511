"""Faults of the machine while a training program runs: one warning, and the program goes on.

A full disk, or one that may not be written, concerns everything that is written: it is told once. Other faults are told once
for each kind of work.
"""

import errno
import sys
import time
from types import TracebackType
from typing import Final

from offbranch.base.environ import some_variables
from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.plugins import load
from offbranch.live.errors import LiveError

_OF_THE_MACHINE: Final = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EIO,
        errno.ENOTDIR,
        errno.EMFILE,
        errno.ENFILE,
        errno.ESTALE,
    )
)
# A disk that is full may take something now and then.
_QUIET_S: Final = 60.0


def say(level: str, text: str) -> None:
    """Hands a message to the logger `offbranch.live`, which programs may direct as they like.

    Args:
        level: `debug`, `info` or `warning`.
        text: What is to be said.
    """
    logging = load("logging")
    logger = logging.getLogger("offbranch.live")
    if logger.level == logging.NOTSET:
        wished = some_variables(("DVCLIVE_LOGLEVEL",)).get("DVCLIVE_LOGLEVEL", "").upper()
        logger.setLevel(wished if wished in logging.getLevelNamesMapping() else logging.WARNING)
    # Where the program has set up nothing, the text alone is written: it shall say whose it is.
    mark = "" if logger.hasHandlers() else "offbranch: "
    getattr(logger, level)("%s%s", mark, text.encode("utf-8", "backslashreplace").decode())


def is_of_handler(error: BaseException) -> bool:
    """Tells whether an error comes from a signal handler of the program, such as a time limit: it is no fault of ours."""
    signal = sys.modules.get("signal")
    if signal is None:
        return False
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {getattr(getattr(handler, "__func__", handler), "__code__", None) for handler in handlers} - {None}
    place = error.__traceback__
    while place is not None:
        if place.tb_frame.f_code in codes:
            return True
        place = place.tb_next
    return False


class Faults:
    """Remembers what has been warned of."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        # What was told, or the number of the error if that is of the machine -> the work it was told of, and when.
        self._told: dict[object, tuple[str, float]] = {}

    def during(self, work: str) -> "Guard":
        """Returns a context in which a fault is warned of once, and goes no further.

        Args:
            work: What is tried, for the message: `write 'dvclive/metrics.json'`.
        """
        return Guard(self, work)

    def tell(self, work: str, reason: str | Exception) -> None:
        """Warns that something cannot be done, once for each work; of a fault of the whole machine once for all.

        Args:
            work: What cannot be done.
            reason: Why: a text, or what was raised.
        """
        number = reason.errno if isinstance(reason, OSError) and reason.errno in _OF_THE_MACHINE else None
        key = work if number is None else number
        if key in self._told:
            return
        self._told[key] = work, time.monotonic()
        text = reason if isinstance(reason, str) else _text_of(reason, work)
        end = "it" if number is None else "it, and without whatever else this keeps from being written"
        say("warning", f"cannot {work}: {text}; training goes on without {end}")

    def remark(self, text: str, *, about: str) -> None:
        """Warns of something that is done all the same, once for each subject.

        Args:
            text: What is to be said.
            about: The subject.
        """
        if about not in self._told:
            self._told[about] = about, time.monotonic()
            say("warning", text)

    def is_over(self, work: str) -> None:
        """Notes that it works again, so that the next fault is told."""
        now = time.monotonic()
        for key, (told, when) in list(self._told.items()):
            if told == work and (key == work or now - when > _QUIET_S):
                self._told.pop(key, None)


def _text_of(error: Exception, work: str) -> str:
    """Returns what an error says in one line, without the names of files that are temporary or named already."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError):
        text = str(error.strerror or error)
        named = error.filename
        if error.strerror and named is not None and TEMPORARY_PREFIX not in str(named) and f"'{named}'" not in work:
            text += f": '{named}'"
    return " ".join(text.split())[:300]


class Guard:
    """See `Faults.during`. Mistakes in calls (`LiveError`), and what ends the program, pass."""

    __slots__ = ("_faults", "_work")

    def __init__(self, faults: Faults, work: str) -> None:
        self._faults = faults
        self._work = work

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is None or isinstance(error, LiveError) or not isinstance(error, Exception) or is_of_handler(error):
            return False
        self._faults.tell(self._work, error)
        return True
