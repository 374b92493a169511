"""Making the workspace equal to an experiment, without losing work: what would be overwritten is saved first.

HEAD and the index stay; the changes are unstaged. Files that exist only here, or were changed here, and that the experiment
does not have, stay. What the user had is kept as a commit under `refs/exps/apply/stash` (with a reflog, so that an
earlier one is not lost either).
"""

from offbranch.base.errors import BaselineMismatchError, NotFoundError
from offbranch.base.events import Reporter, Warned
from offbranch.base.paths import REPRO_DAT, GitPath, RepoPath, join
from offbranch.base.records import record, replace
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.checkout_data import check_out_data
from offbranch.experiments.commit import files_of_stages, snapshot_of
from offbranch.experiments.loading import load
from offbranch.experiments.placed import placed_of, remember_outputs
from offbranch.experiments.refs import APPLY_ORIG_HEAD, APPLY_STASH, EXEC_APPLY, find_experiment, resolve_experiment
from offbranch.experiments.workbench import in_git
from offbranch.git.checkout import TreeCheckout, apply_tree_checkout, plan_tree_checkout
from offbranch.git.objects import CommitId, ObjectReader, TreeId, write_commit
from offbranch.git.refs import ANY, RefUpdate, resolve_revision, update_refs
from offbranch.git.repository import GitRepo, head_commit
from offbranch.pipeline.recorded import all_recorded
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project
from offbranch.storage.save import save


@record
class Applied:
    """What was done.

    Attributes:
        name: What was applied, as asked for.
        commit: Its commit.
        baseline: The commit it started from.
        head: HEAD now; another than `baseline` is worth a word.
        saved: Ref that keeps the work which was overwritten; None if there was none.
        missing: Outputs whose content is not in the cache.
    """

    name: str
    commit: CommitId
    baseline: CommitId
    head: CommitId
    saved: str | None
    missing: tuple[str, ...]


def apply_experiment(
    project: Project, repo: GitRepo, name: str, reporter: Reporter, *, strict_baseline: bool
) -> Applied:
    """Applies an experiment, a failed attempt or any revision.

    Raises:
        NotFoundError: There is no such experiment.
        BaselineMismatchError: It belongs to another baseline than HEAD and that is refused.
    """
    commit = _resolve(project, repo, name)
    head = head_commit(repo)
    with ObjectReader(repo) as objects:
        target = objects.commit(commit)
        head_tree = objects.commit(head).tree
    baseline = _baseline(repo, name, commit) or (target.parents[0] if target.parents else head)
    if baseline != head and strict_baseline:
        raise BaselineMismatchError(
            f"cannot apply '{name}': its baseline is {baseline[:7]}, HEAD is {head[:7]}",
            experiment_baseline=baseline,
            head=head,
            hint=f"git switch --detach {baseline[:7]} first, or allow it with exp.strict_baseline = false",
        )
    plan, saved = _plan(project, repo, head, head_tree, target.tree)
    update_refs(repo, [RefUpdate(ref=APPLY_ORIG_HEAD, new=head, old=ANY)])
    if saved is not None:
        update_refs(
            repo,
            [RefUpdate(ref=APPLY_STASH, new=saved, old=ANY)],
            message=f"before applying {name}",
            create_reflog=True,
        )
    apply_tree_checkout(repo, plan, overwrite=True)
    missing = _apply_data(project, reporter)
    update_refs(repo, [RefUpdate(ref=EXEC_APPLY, new=commit, old=ANY)])
    return Applied(
        name=name, commit=commit, baseline=baseline, head=head, saved=APPLY_STASH if saved else None, missing=missing
    )


def _resolve(project: Project, repo: GitRepo, name: str) -> CommitId:
    commit = resolve_revision(repo, name)
    if commit is not None:
        return commit
    try:
        return resolve_experiment(repo, name).commit
    except NotFoundError:
        for attempt in list_attempts(repo, project.root):
            if name in (attempt.name, attempt.id) and attempt.commit is not None:
                return attempt.commit
        raise


def _baseline(repo: GitRepo, name: str, commit: CommitId) -> CommitId | None:
    found = find_experiment(repo, name)
    return found.baseline if found is not None and found.commit == commit else None


def _plan(
    project: Project, repo: GitRepo, head: CommitId, head_tree: TreeId, target: TreeId
) -> tuple[TreeCheckout, CommitId | None]:
    """Returns what to write, and the commit that keeps what the user would lose by it."""
    pipelines = load(project)
    files = files_of_stages(pipelines, pipelines.stages)
    present = snapshot_of(project, repo, files)
    plan = plan_tree_checkout(repo, present, target)
    if plan.blocked:
        present = snapshot_of(project, repo, files, force=[_in_project(project, path) for path in plan.blocked])
        plan = plan_tree_checkout(repo, present, target)
    mine = {change.path for change in plan_tree_checkout(repo, head_tree, present).changes}
    repro = in_git(project, RepoPath(REPRO_DAT))
    changes = tuple(
        change for change in plan.changes if change.path != repro and not (change.status == "D" and change.path in mine)
    )
    loses = any(change.path in mine for change in changes)
    saved = write_commit(
        repo, tree=present, parents=(head,), message="ob: the workspace before an experiment was applied\n"
    )
    return replace(plan, changes=changes), saved if loses else None


def _in_project(project: Project, path: GitPath) -> RepoPath:
    return RepoPath(path[len(project.prefix) + 1 :] if project.prefix else path)


def _apply_data(project: Project, reporter: Reporter) -> tuple[str, ...]:
    pipelines = load(project)
    for error in pipelines.broken.values():
        reporter.emit(Warned(text=str(error)))
    _keep_unsaved(project, pipelines)
    done = check_out_data(project, pipelines, pipelines.stages, reporter, force=True)
    remember_outputs(project, placed_of(all_recorded(pipelines).values()))
    return (*done.missing, *done.corrupt)


def _keep_unsaved(project: Project, pipelines: Pipelines) -> None:
    """Puts cached outputs that were changed by hand into the cache before they are replaced."""
    for stage in pipelines.stages:
        for out in stage.outs:
            if (
                out.cache
                and out.path is not None
                and (project.reader.is_file(out.path) or project.reader.is_dir(out.path))
            ):
                save(
                    join(project.root, out.path),
                    cache=project.cache,
                    state=project.state,
                    ignore=project.ignore,
                    rel=out.path,
                    relink=False,
                )
