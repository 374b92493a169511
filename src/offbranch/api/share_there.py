"""Listing, removing and renaming experiments at a Git remote."""

import time
from collections.abc import Callable

from offbranch.api.session import Session, held, need_git, opened
from offbranch.api.share import resolve_remote_of
from offbranch.base.errors import NotFoundError, did_you_mean
from offbranch.base.records import record
from offbranch.experiments.choose import Choice, choose_experiments
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.names import check_name
from offbranch.experiments.refs import find_experiment, list_experiments
from offbranch.experiments.remote_experiments import read_remote
from offbranch.experiments.rename import refuse_taken, rename_experiment
from offbranch.experiments.share_remove import RemoteRemoval, RemovedThere, remove_there, rename_there
from offbranch.git.network import Talk
from offbranch.views.listing import Listing, group_listing


def list_there(remote: str, choice: Choice, session: Session, *, may_ask: bool = False) -> Listing:
    """Returns the experiments of a Git remote by baseline; nothing is fetched.

    Raises:
        NotFoundError: The Git remote, or a revision, is not known.
        RemoteError: The Git remote cannot be reached.
    """
    with opened(session) as project:
        repo = need_git(project)
        found = resolve_remote_of(repo, remote, session)
        there = read_remote(repo, found, Talk(reporter=session.reporter, may_ask=may_ask))
        chosen = choose_experiments(repo, choice, there.experiments, where=f" at {found.text}", hint="-A lists all")
        return group_listing(repo, chosen)


def remove(
    remote: str,
    removal: RemoteRemoval,
    session: Session,
    *,
    may_ask: bool = False,
    clock: Callable[[], float] = time.time,
) -> RemovedThere:
    """Removes experiments at a Git remote; those here stay.

    Raises:
        NotFoundError: The Git remote or an experiment is not known; nothing has been removed.
        RemoteError: The Git remote cannot be reached.
    """
    with opened(session) as project:
        repo = need_git(project)
        talk = Talk(reporter=session.reporter, may_ask=may_ask)
        return remove_there(repo, resolve_remote_of(repo, remote, session), removal, talk, now_utc=clock())


@record
class RenamedThere:
    """Where an experiment has another name now: the experiment, None where there was none of the old name."""

    there: Experiment | None
    here: Experiment | None


def rename(
    remote: str,
    old: str,
    new: str,
    session: Session,
    *,
    force: bool = False,
    dry: bool = False,
    may_ask: bool = False,
) -> RenamedThere:
    """Renames an experiment at a Git remote, and here if it is here too; with `dry` only tells what that would do.

    Raises:
        ConflictError: The new name is taken, here or there, and `force` is not given; nothing has been renamed.
        NotFoundError: It is neither there nor here.
    """
    with held(session) as (project, _):
        repo = need_git(project)
        found = resolve_remote_of(repo, remote, session)
        check_name(new)
        here = find_experiment(repo, old)
        if here is not None and not force:
            refuse_taken(repo, here, new)
        talk = Talk(reporter=session.reporter, may_ask=may_ask)
        there = rename_there(repo, found, old, new, talk, force=force, dry=dry)
        if there is None and here is None:
            names = [experiment.name for experiment in list_experiments(repo)]
            hint = did_you_mean(old, names) or f"ob exp list {found.label} -A shows all that are there"
            raise NotFoundError(f"there is no experiment '{old}', neither here nor at {found.text}", hint=hint)
        renamed = rename_experiment(repo, old, new, force=force, dry=dry).new if here is not None else None
        return RenamedThere(there=there, here=renamed)
