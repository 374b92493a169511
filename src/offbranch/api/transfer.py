"""Data between the cache and data remotes: push, fetch, pull, and how the two differ."""

from offbranch.api.selecting import select_for
from offbranch.api.session import Session, held, opened, working_directory
from offbranch.base.errors import MissingDataError
from offbranch.base.records import replace
from offbranch.experiments.bring_imports import put_partial
from offbranch.experiments.checkout_data import check_out_data
from offbranch.experiments.data_remotes import DataScope
from offbranch.experiments.loading import load
from offbranch.experiments.move_data import Moved, TransferOptions, fetch_data, push_data
from offbranch.experiments.placed import placed_of, remember_outputs
from offbranch.experiments.remote_status import RemoteDifference, compare_with_remotes
from offbranch.pipeline.recorded import recorded_outputs


def push(scope: DataScope, session: Session, options: TransferOptions) -> Moved:
    """Uploads data that the remotes lack.

    Returns:
        What was sent. Data that is neither here nor there, or is corrupt here, is in `problems`; the rest was sent.

    Raises:
        UsageError: There is no remote to send to.
        RemoteError: A remote cannot be reached.
    """
    with held(session) as (project, _):
        return push_data(project, scope, options, session.reporter, cwd=working_directory(project, session))


def fetch(scope: DataScope, session: Session, options: TransferOptions) -> Moved:
    """Downloads data that the cache lacks.

    Returns:
        What came. Data that is not there or is corrupt is in `problems`; the rest came.

    Raises:
        UsageError: There is no remote to fetch from.
        RemoteError: A remote cannot be reached.
    """
    with held(session) as (project, _):
        return fetch_data(project, scope, options, session.reporter, cwd=working_directory(project, session))


def pull(
    scope: DataScope,
    session: Session,
    options: TransferOptions,
    *,
    force: bool = False,
    allow_missing: bool = False,
) -> Moved:
    """Downloads data and puts it into the workspace; raises as `fetch` and `checkout`.

    Args:
        scope: Which data.
        session: Where.
        options: How.
        force: Changes of the workspace that are in no cache are thrown away.
        allow_missing: Data that is nowhere is no problem.
    """
    with held(session) as (project, _):
        cwd = working_directory(project, session)
        moved = fetch_data(project, scope, options, session.reporter, cwd=cwd)
        pipelines = load(project)
        chosen = select_for(
            project, session, pipelines, scope.targets, with_deps=scope.with_deps, recursive=scope.recursive
        )
        done = check_out_data(project, pipelines, chosen.stages, session.reporter, force=force, named=chosen.paths)
        remember_outputs(project, placed_of(recorded_outputs(chosen.stages, pipelines.locks)))
        new = put_partial(project, moved.brought, session.reporter, force=force)
        n_new = sum(content.n_files or 1 for content in moved.brought.partial.values())
        done = replace(done, added=(*done.added, *new), n_added=done.n_added + n_new)
        problems = moved.problems
        if allow_missing:
            problems = tuple(one for one in problems if not isinstance(one.error, MissingDataError))
        return replace(moved, problems=problems, checked_out=done)


def remote_status(scope: DataScope, session: Session, *, jobs: int | None = None) -> RemoteDifference:
    """Compares the cache with the data remotes; nothing is moved.

    Raises:
        UsageError: There is no remote to compare with.
        RemoteError: A remote cannot be reached.
    """
    with opened(session) as project:
        return compare_with_remotes(project, scope, cwd=working_directory(project, session), jobs=jobs)
