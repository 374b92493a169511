"""What a transfer of data is asked for and what came of it, as records; and how its problems are raised."""

from collections.abc import Iterable

from offbranch.base.errors import CorruptObjectError, MissingDataError, OffbranchError, RemoteError
from offbranch.base.paths import RepoPath
from offbranch.base.records import field, record
from offbranch.storage.objects import Content, ObjectId


@record
class TransferOptions:
    """How data is moved.

    Attributes:
        jobs: Transfers at a time; None for what the remote likes.
        run_cache: Entries of the run-cache go along; the outputs that they name do not.
    """

    jobs: int | None = None
    run_cache: bool = False


@record
class Problem:
    """An object that did not arrive.

    Attributes:
        id: The object.
        paths: Files of the project whose content it is, the first few.
        error: Why.
        remote: Name of the data remote.
    """

    id: ObjectId
    paths: tuple[str, ...]
    error: OffbranchError
    remote: str


@record
class CheckedOut:
    """What was done, by path of the project; a directory ends with `/`.

    Attributes:
        added: Outputs that were not there.
        modified: Outputs that were there and have changed.
        deleted: Outputs that nothing defines any more.
        missing: Files (or directories) whose content is not in the cache; they are as they were.
        corrupt: Files whose content in the cache is not what its name says; they are as they were.
        n_added: Number of single files that are new, and so on.
        n_relinked: Number of files that were linked or copied anew with the content they had.
        error: Why the command failed although all the rest was done; None if nothing was missing or corrupt.
    """

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    n_added: int = 0
    n_modified: int = 0
    n_deleted: int = 0
    n_relinked: int = 0
    error: OffbranchError | None = None


@record
class Failure:
    """An import whose data did not come."""

    id: ObjectId
    path: RepoPath
    error: OffbranchError
    source: str


@record
class Brought:
    """What came of it.

    Attributes:
        n_objects: Files that arrived, lists of directories included.
        size_bytes: Of the files.
        failures: What did not arrive.
        partial: Of imports that record no content of their own, what they are now, by path.
    """

    n_objects: int = 0
    size_bytes: int = 0
    failures: tuple[Failure, ...] = ()
    partial: dict[RepoPath, Content] = field(default_factory=dict)


@record
class Moved:
    """What a transfer came to.

    Attributes:
        n_objects: Objects that arrived, lists of directories included.
        size_bytes: Of them.
        n_runs: Entries of the run-cache that arrived.
        problems: What did not arrive.
        remotes: Labels of the remotes that took part.
        checked_out: For `pull`, what changed in the workspace.
        error: Why one of several remotes could not be used at all; the others were.
        brought: What came from where it was imported.
    """

    n_objects: int = 0
    size_bytes: int = 0
    n_runs: int = 0
    problems: tuple[Problem, ...] = ()
    remotes: tuple[str, ...] = ()
    checked_out: CheckedOut = field(default_factory=CheckedOut)
    error: OffbranchError | None = None
    brought: Brought = field(default_factory=Brought)


def raise_problems(moved: Moved, verb: str) -> None:
    """Raises what a transfer could not do, once the rest is done and told.

    Raises:
        OffbranchError: A remote could not be used at all.
        RemoteError: A remote failed.
        CorruptObjectError: Something was corrupt.
        MissingDataError: Something was not there.
    """
    if moved.error is not None:
        raise moved.error
    if not moved.problems:
        return
    n = len(moved.problems)
    text = f"{n} {'object' if n == 1 else 'objects'} could not be {verb}"
    errors = [problem.error for problem in moved.problems]
    if (broken := next((error for error in errors if isinstance(error, RemoteError)), None)) is not None:
        raise RemoteError(text, hint=broken.hint or "run the command again: what has arrived is not sent again")
    if any(isinstance(error, CorruptObjectError) for error in errors):
        hint = "ob fsck checks everything; ob fsck --repair gets sound copies"
        if verb != "pushed":  # what is wrong is at the remote, where a push does not replace what has the right name
            hint = "remove it at the data remote, then run 'ob push' where there is a sound copy"
        raise CorruptObjectError(text, hint=hint)
    raise MissingDataError(text, hint="push it from a clone that has it, or make it again with 'ob repro'")


def of_imports(brought: Brought) -> Moved:
    """Returns what came from where it was imported as the outcome of a transfer."""
    problems = [Problem(id=one.id, paths=(one.path,), error=one.error, remote=one.source) for one in brought.failures]
    return Moved(n_objects=brought.n_objects, size_bytes=brought.size_bytes, problems=tuple(problems))


def sum_moved(moved: Iterable[Moved], n_runs: int = 0) -> Moved:
    """Returns what several transfers came to together."""
    parts = tuple(moved)
    return Moved(
        n_objects=sum(part.n_objects for part in parts),
        size_bytes=sum(part.size_bytes for part in parts),
        n_runs=n_runs,
        problems=tuple(problem for part in parts for problem in part.problems),
        remotes=tuple(dict.fromkeys(label for part in parts for label in part.remotes)),
        error=next((part.error for part in parts if part.error is not None), None),
    )
