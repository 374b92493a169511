"""Outputs and data in the workspace: put back what is recorded, record what is there."""

from collections.abc import Sequence

from offbranch.api.selecting import select_for
from offbranch.api.session import Session, held
from offbranch.base.paths import RepoPath
from offbranch.base.records import replace
from offbranch.experiments.checkout_data import CheckedOut, check_out_data
from offbranch.experiments.commit_data import commit_stages
from offbranch.experiments.loading import load
from offbranch.experiments.placed import placed_of, remember_outputs, remove_abandoned
from offbranch.experiments.preview import RefusingRunner
from offbranch.experiments.workbench import make_workbench
from offbranch.pipeline.recorded import recorded_outputs


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

    Args:
        targets: Stages, .dvc files, outputs, or paths inside tracked directories: then only those files are touched.
            Without any, outputs that nothing defines any more go too, if they are as we left them.
        session: Where.
        force: Loses content that is in no cache.
        relink: Links or copies every file anew.
        with_deps: Also what the targets need.
        recursive: A directory stands for everything below it.
        allow_missing: Content that is not in the cache is no error.

    Returns:
        What was done. A failure that did not stop the rest (missing or corrupt content) is its `error`, not raised.

    Raises:
        ConflictError: Content that is in no cache would be lost and `force` is not given; nothing has been changed.
        NotFoundError: A target does not exist, or is not recorded in its directory; nothing has been changed.
    """
    with held(session) as (project, _):
        loaded = load(project)
        selection = select_for(project, session, loaded, targets, with_deps=with_deps, recursive=recursive)
        done = check_out_data(
            project, loaded, selection.stages, session.reporter, force=force, relink=relink, named=selection.paths
        )
        outs = placed_of(recorded_outputs(selection.stages, loaded.locks))
        if not targets:
            defined = [out.path for stage in loaded.stages for out in stage.outs if out.path is not None]
            gone = remove_abandoned(project, defined)
            done = replace(done, deleted=gone, n_deleted=done.n_deleted + len(gone))
        remember_outputs(project, outs, only_these=not targets)
        return replace(done, error=None) if allow_missing and not done.corrupt else done


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
        written = commit_stages(loaded, selection.stages, bench, force=force, relink=relink, named=selection.paths)
        if written:
            loaded = load(project)
        remember_outputs(project, placed_of(recorded_outputs(selection.stages, loaded.locks)))
        return written
