"""Making the workspace equal to an experiment, without losing work: what would be overwritten is kept first.

HEAD and the index stay; the changes are unstaged. Files that exist only here, or were changed here, and that the experiment
does not have, stay. What the user had is a commit under `refs/exps/apply/stash` (with a reflog, so that an earlier one is
not lost either): applying that commit goes back, outputs that were changed by hand and files that came along included.
"""

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Reporter, Warned
from offbranch.base.paths import GitPath, RepoPath
from offbranch.base.plugins import load as load_by_name
from offbranch.base.records import record, replace
from offbranch.experiments.apply_plan import ApplyPlan, plan_apply
from offbranch.experiments.baseline import find_baseline, refuse_mismatch
from offbranch.experiments.checkout_data import CheckedOut, check_out_data
from offbranch.experiments.checkpoint_names import mark_of
from offbranch.experiments.kept_work import WayBack, find_way_back, keep_outputs, keep_work, unsaved_outputs
from offbranch.experiments.loading import load, parsing_options
from offbranch.experiments.placed import placed_of, remember_outputs, remove_unmade
from offbranch.experiments.refs import APPLY_ORIG_HEAD, APPLY_STASH, EXEC_APPLY
from offbranch.experiments.sides import find_commit
from offbranch.git.checkout import apply_tree_checkout
from offbranch.git.objects import Commit, CommitId, ObjectReader
from offbranch.git.refs import ANY, RefUpdate, update_refs
from offbranch.git.repository import GitRepo, head_commit
from offbranch.git.tree_reader import TreeReader
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.recorded import all_recorded
from offbranch.project import Project

# What few need; it brings with it what talks to data remotes.
_REFUSE_THINNED = "offbranch.experiments.thinned:refuse_thinned"


@record
class Applied:
    """What was done, or with `is_dry` would be.

    Attributes:
        name: What was applied, as asked for.
        commit: Its commit.
        baseline: The commit it started from; None for a revision that is no experiment.
        head: HEAD now; another than `baseline` is worth a word.
        saved: The commit that keeps the work which was overwritten; None if there was none.
        written, overwritten, deleted: Files under version control, as paths of the repository.
        kept: Those of them that hold work of the user's, and are in `saved`.
        outputs: Data and outputs that were added, changed or, at a checkpoint that came before them, removed; a directory ends
            with `/`.
        missing: Outputs whose content is not in the cache.
    """

    name: str
    commit: CommitId
    baseline: CommitId | None
    head: CommitId
    saved: CommitId | None
    written: tuple[GitPath, ...]
    overwritten: tuple[GitPath, ...]
    deleted: tuple[GitPath, ...]
    kept: tuple[str, ...]
    outputs: tuple[str, ...]
    missing: tuple[str, ...]
    is_dry: bool


def apply_experiment(
    project: Project, repo: GitRepo, name: str, reporter: Reporter, *, strict_baseline: bool, dry: bool = False
) -> Applied:
    """Applies an experiment, a failed attempt or any revision.

    Args:
        strict_baseline: Refuses an experiment of another baseline than HEAD.
        dry: Only tells what would be done.

    Raises:
        NotFoundError: There is no such experiment.
        BaselineMismatchError: It belongs to another baseline than HEAD and that is refused.
        MissingDataError: It is a checkpoint whose data was not kept; nothing has been changed.
        ConflictError: Something that Git does not track is in the way; nothing has been changed.
    """
    commit = find_commit(project, repo, name)
    head = head_commit(repo)
    with ObjectReader(repo) as objects:
        target, tip = objects.commits((commit, head))
        baseline = None if commit == head else find_baseline(repo, target)
        if strict_baseline:
            refuse_mismatch(name, baseline, head)
        back = find_way_back(repo, objects, target)
        plan = plan_apply(project, repo, tip.tree, target.tree, back.added)
        done = _applied(name, commit, baseline, head, plan)
        if dry or mark_of(target) is not None:
            foreseen = _foreseen(project, objects, target, back, plan, done, reporter)
            load_by_name(_REFUSE_THINNED)(project, repo, objects, name, target, foreseen.missing)
            if dry:
                return foreseen
        saved = _keep(repo, done, plan) if plan.mine else None
        try:
            apply_tree_checkout(repo, plan.files, overwrite=True)
            data, saved, by_hand = _apply_data(project, repo, plan, replace(done, saved=saved), reporter)
            data = _merged(data, _restore_outputs(project, objects, back, reporter))
            gone = remove_unmade(project, load(project)) if mark_of(target) is not None else ()
        except OffbranchError as error:
            if saved is not None and error.hint is None:
                error.hint = f"what was replaced so far is kept; to go back: ob exp apply {saved[:10]}"
            raise
    refs = {APPLY_ORIG_HEAD: head, EXEC_APPLY: commit}
    update_refs(repo, [RefUpdate(ref=ref, new=new, old=ANY) for ref, new in refs.items()])
    return replace(
        done,
        saved=saved,
        kept=(*done.kept, *by_hand),
        outputs=(*data.added, *data.modified, *gone),
        missing=(*data.missing, *data.corrupt),
    )


def _applied(name: str, commit: CommitId, baseline: CommitId | None, head: CommitId, plan: ApplyPlan) -> Applied:
    def paths(status: str) -> tuple[GitPath, ...]:
        return tuple(change.path for change in plan.files.changes if change.status in status)

    return Applied(
        name=name,
        commit=commit,
        baseline=baseline,
        head=head,
        saved=None,
        written=paths("A"),
        overwritten=paths("MT"),
        deleted=paths("D"),
        kept=plan.mine,
        outputs=(),
        missing=(),
        is_dry=False,
    )


def _keep(repo: GitRepo, done: Applied, plan: ApplyPlan, outputs: CommitId | None = None) -> CommitId:
    """Makes the kept work findable, before anything is overwritten."""
    saved = keep_work(repo, tree=plan.present, head=done.head, applied=done.commit, outputs=outputs)
    update_refs(
        repo,
        [RefUpdate(ref=APPLY_STASH, new=saved, old=ANY)],
        message=f"before applying {done.name}",
        create_reflog=True,
    )
    return saved


def _apply_data(
    project: Project, repo: GitRepo, plan: ApplyPlan, done: Applied, reporter: Reporter
) -> tuple[CheckedOut, CommitId | None, tuple[RepoPath, ...]]:
    """Checks out the outputs; returns also the commit of kept work and the outputs that were changed by hand."""
    pipelines = load(project)
    for error in pipelines.broken.values():
        reporter.emit(Warned(text=str(error)))
    by_hand = unsaved_outputs(project, pipelines, placed_of(all_recorded(plan.before).values()))
    saved = _keep(repo, done, plan, keep_outputs(project, repo, by_hand)) if by_hand else done.saved
    data = check_out_data(project, pipelines, pipelines.stages, reporter, force=True)
    remember_outputs(project, placed_of(all_recorded(pipelines).values()))
    return data, saved, tuple(by_hand)


def _restore_outputs(project: Project, objects: ObjectReader, back: WayBack, reporter: Reporter) -> CheckedOut:
    if back.outputs is None:
        return CheckedOut()
    kept = load_pipelines(TreeReader(objects, back.outputs, project.prefix), ignores=_nothing)
    return check_out_data(project, kept, kept.stages, reporter, force=True)


def _foreseen(
    project: Project,
    objects: ObjectReader,
    target: Commit,
    back: WayBack,
    plan: ApplyPlan,
    done: Applied,
    reporter: Reporter,
) -> Applied:
    """Returns what would be done, outputs included."""
    reader = TreeReader(objects, target.tree, project.prefix)
    pipelines = load_pipelines(reader, ignores=project.ignore.ignores, options=parsing_options(project))
    by_hand = unsaved_outputs(project, pipelines, placed_of(all_recorded(plan.before).values()))
    data = check_out_data(project, pipelines, pipelines.stages, reporter, force=True, dry=True)
    if back.outputs is not None:
        kept = load_pipelines(TreeReader(objects, back.outputs, project.prefix), ignores=_nothing)
        data = _merged(data, check_out_data(project, kept, kept.stages, reporter, force=True, dry=True))
    gone = remove_unmade(project, pipelines, dry=True) if mark_of(target) is not None else ()
    return replace(
        done,
        kept=(*done.kept, *by_hand),
        outputs=(*data.added, *data.modified, *gone),
        missing=(*data.missing, *data.corrupt),
        is_dry=True,
    )


def _merged(first: CheckedOut, second: CheckedOut) -> CheckedOut:
    def both(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*a, *b)))

    return CheckedOut(
        added=both(first.added, second.added),
        modified=tuple(path for path in both(first.modified, second.modified) if path not in first.added),
        missing=both(first.missing, second.missing),
        corrupt=both(first.corrupt, second.corrupt),
    )


def _nothing(_path: RepoPath, _is_directory: bool) -> bool:
    """Ignores nothing."""
    return False
