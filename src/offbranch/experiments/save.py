"""Saving the workspace as an experiment without running anything."""

from collections.abc import Iterable

from offbranch.base.errors import NotFoundError
from offbranch.base.events import Reporter, Warned
from offbranch.base.made_up_names import Chooser
from offbranch.base.paths import ROOT, RepoPath
from offbranch.base.records import record
from offbranch.experiments.commit import commit_experiment, files_of_stages, snapshot_of, standard_message
from offbranch.experiments.commit_data import commit_stages
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.labels import leftover_labels
from offbranch.experiments.loading import load
from offbranch.experiments.naming import choose_name
from offbranch.experiments.preview import RefusingRunner
from offbranch.experiments.refs import encode
from offbranch.experiments.workbench import in_git, make_workbench
from offbranch.git.ignore import untracked_files
from offbranch.git.refs import ANY, RefUpdate, update_refs
from offbranch.git.repository import GitRepo, head_commit
from offbranch.pipeline.options import SelectOptions
from offbranch.pipeline.select import select_stages
from offbranch.pipeline.stage import LockedStage, Stage
from offbranch.project import Project


@record
class SaveRequest:
    """What `ob exp save` is asked to do.

    Attributes:
        name: Name of the experiment; None for an automatic one.
        force: Replaces one of that name.
        targets: Stages and data to record; empty means all.
        recursive: A directory stands for all stages below it.
        include: Untracked paths to include, ignored ones too; as paths of the project.
        message: Commit message; None for the standard one.
        cwd: Directory of the project that targets are relative to.
    """

    name: str | None = None
    force: bool = False
    targets: tuple[str, ...] = ()
    recursive: bool = False
    include: tuple[RepoPath, ...] = ()
    message: str | None = None
    cwd: RepoPath = ROOT


def save_experiment(
    project: Project, repo: GitRepo, request: SaveRequest, rng: Chooser, reporter: Reporter
) -> Experiment:
    """Records the present content of all outputs and commits the workspace as an experiment.

    Raises:
        ConflictError: The name is taken for this baseline.
        NotFoundError: A path to include does not exist.
    """
    baseline = head_commit(repo)
    name = choose_name(request.name, repo, baseline, rng, force=request.force)
    for path in request.include:
        if not (project.reader.is_file(path) or project.reader.is_dir(path)):
            raise NotFoundError(
                f"cannot include '{path}': it does not exist",
                hint="give the path of a file or directory of the workspace",
            )
    entries = _record(project, request, reporter)
    pipelines = load(project)
    tracked_too = files_of_stages(pipelines, pipelines.stages)
    tree = snapshot_of(project, repo, tracked_too, force=request.include)
    _warn_of_untracked(project, repo, {*tracked_too, *request.include}, reporter)
    commit = commit_experiment(repo, tree=tree, parent=baseline, message=request.message or standard_message(entries))
    ref = encode(baseline, name)
    update = RefUpdate(ref=ref, new=commit, old=ANY if request.force else None)
    update_refs(repo, [update, *leftover_labels(repo, baseline, name)])
    return Experiment(name=name, baseline=baseline, commit=commit, ref=ref)


def _record(project: Project, request: SaveRequest, reporter: Reporter) -> dict[str, LockedStage]:
    pipelines = load(project)
    options = SelectOptions(
        cwd=request.cwd, all_pipelines=not request.targets, single_item=True, recursive=request.recursive
    )
    selection = select_stages(pipelines, request.targets, options)
    bench = make_workbench(project, runner=RefusingRunner(), reporter=reporter)
    commit_stages(pipelines, _present(project, selection.stages), bench, force=True, relink=False)
    locks = load(project).locks
    return {
        stage.name: locks[stage.address]
        for stage in selection.stages
        if stage.name is not None and stage.address in locks
    }


def _present(project: Project, stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Returns the stages of which anything is there to record."""

    def exists(path: RepoPath | None) -> bool:
        return path is not None and (project.reader.is_file(path) or project.reader.is_dir(path))

    return tuple(stage for stage in stages if not stage.outs or any(exists(out.path) for out in stage.outs))


def _warn_of_untracked(project: Project, repo: GitRepo, included: set[RepoPath], reporter: Reporter) -> None:
    known = {in_git(project, path) for path in included}
    left = [path for path in untracked_files(repo, ()) if not any(path == k or path.startswith(f"{k}/") for k in known)]
    if left:
        names = ", ".join(f"'{path}'" for path in left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        reporter.emit(
            Warned(
                text=f"untracked files are not part of the experiment: {names}",
                hint="-I PATH includes them",
            )
        )
