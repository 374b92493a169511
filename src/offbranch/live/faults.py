"""Faults of the machine while a training program runs: one warning for each kind of work, and the program goes on."""

from types import TracebackType

from offbranch.base.environ import some_variables
from offbranch.base.plugins import load
from offbranch.live.errors import LiveError


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


class Faults:
    """Remembers what has been warned of."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: set[str] = set()

    def during(self, work: str) -> "Guard":
        """Returns a context in which a fault is warned of once, and goes no further.

        Args:
            work: What is tried, for the message: `write 'dvclive/metrics.json'`.
        """
        return Guard(self, work)

    def tell(self, work: str, reason: str) -> None:
        """Warns that something cannot be done, once for each work."""
        if work not in self._told:
            self._told.add(work)
            say("warning", f"cannot {work}: {reason}; training goes on without it")

    def is_over(self, work: str) -> None:
        """Notes that it works again, so that the next fault is told."""
        self._told.discard(work)


class Guard:
    """See `Faults.during`. Mistakes in calls (`LiveError`), and what ends the program, pass."""

    __slots__ = ("_faults", "_work")

    def __init__(self, faults: Faults, work: str) -> None:
        self._faults = faults
        self._work = work

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is None or isinstance(error, LiveError) or not isinstance(error, Exception):
            return False
        # OSError says by itself what file it is about.
        text = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        self._faults.tell(self._work, " ".join(text.split())[:300])
        return True
