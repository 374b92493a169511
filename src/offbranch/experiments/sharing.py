"""Sharing experiments with a Git remote, as records: what is asked for, and what became of each experiment."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from offbranch.base.errors import (
    ConflictError,
    CorruptObjectError,
    MissingDataError,
    NotFoundError,
    OffbranchError,
    RemoteError,
    UsageError,
)
from offbranch.base.records import field, record
from offbranch.experiments.choose import Choice
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.moved import Moved, raise_problems
from offbranch.git.git_remotes import GitRemote
from offbranch.git.ids import CommitId
from offbranch.git.network import Talk
from offbranch.git.repository import GitRepo
from offbranch.project import Project


@record
class ShareRequest:
    """What `ob exp push` and `ob exp pull` are asked for.

    Attributes:
        remote: Name, url or path of the Git remote.
        choice: Which experiments.
        force: Replaces what has diverged at the other end.
        with_data: Their outputs go along.
        data_remote: Where those go to or come from, if they name none of their own; None for the default data remote.
        jobs: Transfers of data at a time; None for what the data remote likes.
        run_cache: The entries of the run-cache go along.
        dry: Only tells what would be done.
    """

    remote: str
    choice: Choice = field(default_factory=Choice)
    force: bool = False
    with_data: bool = True
    data_remote: str | None = None
    jobs: int | None = None
    run_cache: bool = False
    dry: bool = False

    @property
    def moves_runs(self) -> bool:
        """The run-cache is moved."""
        return self.run_cache and self.with_data and not self.dry


@record
class Sharing:
    """One push or pull that is under way.

    Attributes:
        project: Whose configuration counts.
        repo: Its repository.
        remote: The Git remote.
        request: What is asked for.
        talk: Who is told.
    """

    project: Project
    repo: GitRepo
    remote: GitRemote
    request: ShareRequest
    talk: Talk


@record
class SharedData:
    """What a transfer of the outputs of experiments came to.

    Attributes:
        moved: All in all.
        errors: Ref of an experiment -> why its data is not complete.
        n_homeless: Outputs that no data remote is configured for; they were left where they are.
    """

    moved: Moved = field(default_factory=Moved)
    errors: Mapping[str, OffbranchError] = field(default_factory=dict)
    n_homeless: int = 0


class ShareState(Enum):
    """What became of one experiment, or would."""

    NEW = "new"
    UPDATED = "updated"  # by a later commit of the same chain
    REPLACED = "replaced"
    SAME = "up to date"
    DIVERGED = "diverged"
    FAILED = "failed"


# Loaded late: without outputs nothing of pipelines and transfers is needed.
SHARE_DATA: Final = "offbranch.experiments.share_data"
MOVING = frozenset((ShareState.NEW, ShareState.UPDATED, ShareState.REPLACED))


@record
class Shared:
    """One experiment and what became of it.

    Attributes:
        experiment: As it is on the side it comes from.
        state: What became of it.
        old: Where it pointed at the side it goes to; None if it was not there.
        error: Why it failed; for one that is up to date, why its data is not.
    """

    experiment: Experiment
    state: ShareState
    old: CommitId | None = None
    error: OffbranchError | None = None


@record
class ShareReport:
    """What sharing came to.

    Attributes:
        remote: The Git remote.
        experiments: All that were meant, in the order of their refs.
        data: What was moved between cache and data remotes.
        with_data: Data was meant to go along.
        n_labels: Experiments whose tags and note changed at the end that they go to.
        n_homeless: Outputs that stayed behind because no data remote is configured.
        dry: Nothing was done.
    """

    remote: GitRemote
    experiments: tuple[Shared, ...] = ()
    data: Moved = field(default_factory=Moved)
    with_data: bool = True
    n_labels: int = 0
    n_homeless: int = 0
    dry: bool = False

    def of(self, *states: ShareState) -> tuple[Shared, ...]:
        """Returns the experiments in some states."""
        return tuple(one for one in self.experiments if one.state in states)


def raise_unshared(report: ShareReport, verb: str, hint_of_diverged: str) -> None:
    """Raises what could not be shared, once the rest is done and told.

    Raises:
        RemoteError: A remote failed or refused.
        ConflictError: Experiments have diverged.
        OffbranchError: The first other reason.
    """
    failed = [one.error for one in report.of(ShareState.FAILED) if one.error is not None]
    if failed:
        raise joined_error(failed, f"{counted(len(failed))} could not be {verb}")
    raise_problems(report.data, verb)
    incomplete = [one.error for one in report.experiments if one.error is not None]
    if incomplete:
        raise joined_error(incomplete, f"the data of {counted(len(incomplete))} could not be {verb}")
    diverged = report.of(ShareState.DIVERGED)
    if diverged:
        verb_of = "has" if len(diverged) == 1 else "have"
        raise ConflictError(
            f"{counted(len(diverged))} {verb_of} diverged from {report.remote.text}", hint=hint_of_diverged
        )


def joined_error(errors: Sequence[OffbranchError], text: str = "") -> OffbranchError:
    """Returns one error for several: that of a remote if there is one, else the first; behind a text that counts them."""
    first = next((error for error in errors if isinstance(error, RemoteError)), errors[0])
    message = f"{text}: {first.message}" if text else first.message
    for kind in (RemoteError, MissingDataError, CorruptObjectError, NotFoundError, ConflictError, UsageError):
        if isinstance(first, kind):
            return kind(message, hint=first.hint)
    return OffbranchError(message, hint=first.hint)


def counted(number: int) -> str:
    """Returns `3 experiments`."""
    return f"{number} {'experiment' if number == 1 else 'experiments'}"
