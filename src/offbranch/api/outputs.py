"""Outputs and data in the workspace: put back what is recorded, record what is there."""

from collections.abc import Sequence

from offbranch.api.selecting import select_for
from offbranch.api.session import Session, held
from offbranch.base.errors import MissingDataError
from offbranch.base.paths import RepoPath
from offbranch.experiments.checkout_data import CheckedOut, check_out_data
from offbranch.experiments.commit_data import commit_stages
from offbranch.experiments.loading import load
from offbranch.experiments.preview import RefusingRunner
from offbranch.experiments.workbench import make_workbench


def checkout(
    targets: Sequence[str],
    session: Session,
    *,
    force: bool = False,
    relink: bool = False,
    with_deps: bool = False,
    recursive: bool = False,
    allow_missing: bool = False,
) -> CheckedOut:
    """Makes data and cached outputs in the workspace equal to what .dvc files and dvc.lock record.

    Raises:
        ConflictError: Content that is in no cache would be lost and `force` is not given; nothing has been changed.
        MissingDataError: Recorded content is not in the cache; the rest has been checked out.
    """
    with held(session) as (project, _):
        loaded = load(project)
        selection = select_for(project, session, loaded, targets, with_deps=with_deps, recursive=recursive)
        done = check_out_data(project, loaded, selection.stages, session.reporter, force=force, relink=relink)
        if done.missing and not allow_missing:
            names = ", ".join(f"'{path}'" for path in done.missing[:5])
            raise MissingDataError(
                f"not in the cache: {names}" + (f" and {len(done.missing) - 5} more" if len(done.missing) > 5 else ""),
                hint="make them again with 'ob repro', or get them from a data remote",
            )
        return done


def commit(
    targets: Sequence[str],
    session: Session,
    *,
    force: bool = False,
    with_deps: bool = False,
    recursive: bool = False,
    relink: bool = True,
) -> tuple[RepoPath, ...]:
    """Records the present content of outputs (and of what stages read) without running anything.

    Returns:
        The dvc.lock and .dvc files that were written.

    Raises:
        UsageError: Dependencies or commands changed, so that the outputs may not belong to them, without `force`.
    """
    with held(session) as (project, _):
        loaded = load(project)
        selection = select_for(project, session, loaded, targets, with_deps=with_deps, recursive=recursive)
        bench = make_workbench(project, runner=RefusingRunner(), reporter=session.reporter)
        return commit_stages(loaded, selection.stages, bench, force=force, relink=relink)
