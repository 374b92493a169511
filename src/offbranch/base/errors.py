"""The whole exception tree, the exit codes, and how a message is built.

    OffbranchError                 1   the command failed
    ├── UsageError                 2   the request makes no sense as given
    ├── BadInputError              1   a file is malformed: path, line and key are known
    ├── NotFoundError              1   a name that does not exist (near names are offered)
    ├── ConflictError              1   it exists already, or would overwrite something
    │   └── BaselineMismatchError  1   the experiment belongs to another baseline
    ├── StageFailedError           1   a stage command failed
    ├── MissingDataError           1   content is neither in the workspace nor in the cache
    ├── CorruptObjectError         1   content does not have the hash that names it
    ├── GitError                   1   the git program refused
    ├── NoProjectError            10   not inside a project, or not a usable Git repository
    ├── LockedError               11   another process holds the lock
    └── RemoteError               12   a data remote or Git remote failed
        └── RefusedError          12   it has a rule against it: trying again is in vain

    Interrupted                  130   Ctrl-C or SIGTERM; no failure

A message says what failed, the thing in quotes, and why: lower case, no full stop. The hint is one command or sentence.
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What `ob` returns to the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BUG = 3
    NO_PROJECT = 10
    LOCKED = 11
    REMOTE = 12
    INTERRUPTED = 130


class OffbranchError(Exception):
    """A failure the user can understand and act upon."""

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OffbranchError):
    exit_code = ExitCode.USAGE


class BadInputError(OffbranchError):
    """A file the user wrote cannot be understood.

    Args:
        reason: What is wrong, without the place.
        path: The file, as the user knows it.
        line: Line in it, counted from 1, where known.
        column: Column in the line, counted from 1, where known.
        key: The place inside the document, e.g. `stages.train.cmd`.
        hint: The way out.
    """

    def __init__(
        self,
        reason: str,
        *,
        path: str,
        line: int | None = None,
        column: int | None = None,
        key: str | None = None,
        hint: str | None = None,
    ) -> None:
        place = path if line is None else f"{path}:{line}" if column is None else f"{path}:{line}:{column}"
        super().__init__(f"{place}: {f'{key}: ' if key else ''}{reason}", hint=hint)
        self.reason = reason
        self.path = path
        self.line = line
        self.column = column
        self.key = key


class NotFoundError(OffbranchError):
    pass


class ConflictError(OffbranchError):
    pass


class BaselineMismatchError(ConflictError):
    def __init__(self, message: str, *, experiment_baseline: str, head: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.experiment_baseline = experiment_baseline
        self.head = head


class StageFailedError(OffbranchError):
    """A stage command could not be carried out.

    Args:
        stage: Address of the stage.
        exit_code_of_command: What the command returned; negative is a signal; None if it never started.
    """

    def __init__(
        self, message: str, *, stage: str, exit_code_of_command: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.stage = stage
        self.exit_code_of_command = exit_code_of_command


class MissingDataError(OffbranchError):
    pass


class CorruptObjectError(OffbranchError):
    """Content that does not have the hash that names it.

    Args:
        objects: Ids of the objects, where the caller can go on without them.
        users: The files that need them.
    """

    def __init__(
        self, message: str, *, objects: tuple[str, ...] = (), users: tuple[str, ...] = (), hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.objects = objects
        self.users = users


class GitError(OffbranchError):
    pass


class NoProjectError(OffbranchError):
    exit_code = ExitCode.NO_PROJECT


class LockedError(OffbranchError):
    exit_code = ExitCode.LOCKED


class RemoteError(OffbranchError):
    """A data remote or Git remote failed.

    Args:
        is_transient: It may work when it is tried again: the network, or a busy server.
    """

    exit_code = ExitCode.REMOTE

    def __init__(self, message: str, *, hint: str | None = None, is_transient: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.is_transient = is_transient


class RefusedError(RemoteError):
    pass


class Interrupted(KeyboardInterrupt):
    """Somebody asked us to stop.

    No `OffbranchError`: a signal comes at any moment, also where a failure would be borne (what cannot be read is left out, a
    cache is done without), and who bears failures must not bear that: the run would go on although it was told to stop.
    """

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def near_names(wanted: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """Returns the known names closest to a mistyped one, best first, by edit distance."""
    allowed = max(1, len(wanted) // 3)
    scored = sorted((distance, name) for name in set(known) if (distance := _distance(wanted, name)) <= allowed)
    return tuple(name for _, name in scored[:limit])


def did_you_mean(wanted: str, known: Iterable[str]) -> str | None:
    """Returns the hint for a mistyped name, or None when nothing is near."""
    return question_of(near_names(wanted, known))


def question_of(names: Iterable[str]) -> str | None:
    """Returns the hint that offers some names; None when there are none."""
    quoted = [repr(name) for name in names]
    if not quoted:
        return None
    *others, last = quoted
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"


def _distance(a: str, b: str) -> int:
    """Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment)."""
    if abs(len(a) - len(b)) > max(len(a), len(b)) // 2:
        return max(len(a), len(b))
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, above, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]
