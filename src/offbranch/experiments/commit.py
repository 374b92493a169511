"""From the files of a finished run to a commit: which files belong to it, its hash, and the commit itself.

The tree is made through a private index; the ref is somebody else's last step (`run.py`, `save.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from offbranch.base.hashes import sha256
from offbranch.base.paths import REPRO_DAT, RepoPath, is_same_or_inside, overlap
from offbranch.experiments.plot_definitions import definitions_of
from offbranch.experiments.workbench import in_git
from offbranch.git.ignore import untracked_files
from offbranch.git.objects import CommitId, TreeId, add_headers, write_commit
from offbranch.git.repository import GitRepo
from offbranch.git.snapshot import snapshot_tree
from offbranch.pipeline.execute import StageResult
from offbranch.pipeline.lockfile import canonical_json, entry_mapping
from offbranch.pipeline.recording import lock_file_of
from offbranch.pipeline.stage import Dependency, LockedStage, ParamsDependency, Pipelines, Stage
from offbranch.project import Project

_STANDARD = "dvc: commit experiment "


def experiment_hash(entries: Mapping[str, LockedStage]) -> str:
    """Returns the hash that DVC puts into the message: sha256 over the lock entries of the reproduced stages.

    It is no identity: two runs in which nothing was reproduced have the same.
    """
    mapping = {name: entry_mapping(entry) for name, entry in entries.items()}
    return sha256(canonical_json(mapping).encode())


def reproduced_entries(results: Iterable[StageResult]) -> dict[str, LockedStage]:
    """Returns stage name -> lock entry of the pipeline stages that were run or restored."""
    return {
        result.stage.name: result.entry
        for result in results
        if result.entry is not None and result.stage.name is not None
    }


def files_of_stages(pipelines: Pipelines, stages: Iterable[Stage]) -> tuple[RepoPath, ...]:
    """Returns the files that belong into version control with some stages.

    Their dvc.yaml, dvc.lock, .dvc and .gitignore files, what Git keeps of their outputs, and the dependencies and
    parameter files that no stage keeps in the cache; and the metrics, parameters and plots named at the top level.
    """
    cached = {out.path for stage in pipelines.stages for out in stage.outs if out.cache and out.path is not None}
    found: dict[RepoPath, None] = {}
    for stage in stages:
        for path in _files_of_stage(stage):
            if not _is_cached(path, cached):
                found[path] = None
    for path in (*pipelines.top_params, *pipelines.top_metrics, *_top_plot_files(pipelines)):
        if not _is_cached(path, cached):
            found[path] = None
    return tuple(found)


def snapshot_of(
    project: Project,
    repo: GitRepo,
    include: Iterable[RepoPath],
    *,
    exclude: Iterable[RepoPath] = (),
    force: Iterable[RepoPath] = (),
) -> TreeId:
    """Returns the tree of a project as it is on disk: what Git tracks, and some files more.

    Args:
        include: Files and directories to add, without what Git ignores.
        exclude: Files that shall not be in it; the private file of a run of DVC never is.
        force: Files and directories to add though Git ignores them.
    """
    asked = [in_git(project, path) for path in dict.fromkeys(include)]
    found = untracked_files(repo, asked) if asked else ()
    return snapshot_tree(
        repo,
        include=[*found, *(in_git(project, path) for path in force)],
        exclude=[in_git(project, RepoPath(REPRO_DAT)), *(in_git(project, path) for path in exclude)],
    )


def commit_experiment(
    repo: GitRepo, *, tree: TreeId, parent: CommitId, message: str, headers: Sequence[tuple[str, str]] = ()
) -> CommitId:
    """Writes the commit of an experiment; nothing refers to it yet."""
    return add_headers(repo, write_commit(repo, tree=tree, parents=(parent,), message=message), headers)


def standard_message(entries: Mapping[str, LockedStage]) -> str:
    """Returns the message of an experiment commit, in the words other tools look for."""
    return f"{_STANDARD}{experiment_hash(entries)}"


def own_message(message: str) -> str | None:
    """Returns what the user has said in a message; None where it is the usual one."""
    return None if message.startswith(_STANDARD) else message


def files_written_by(stages: Iterable[Stage]) -> tuple[RepoPath, ...]:
    """Returns the files under version control that running some stages may write."""
    return tuple(dict.fromkeys(path for stage in stages for path in _written_by(stage)))


def _files_of_stage(stage: Stage) -> Iterator[RepoPath]:
    yield stage.file
    read: tuple[Dependency | ParamsDependency, ...] = (*stage.deps, *stage.params)
    for dependency in read:
        if dependency.path is not None:
            yield dependency.path
    yield from _written_by(stage)


def _written_by(stage: Stage) -> Iterator[RepoPath]:
    yield stage.file if stage.command is None else lock_file_of(stage.file)
    for out in stage.outs:
        if out.path is not None:
            directory = out.path.rpartition("/")[0]
            yield RepoPath(f"{directory}/.gitignore" if directory else ".gitignore") if out.cache else out.path


def _is_cached(path: RepoPath, cached: set[RepoPath]) -> bool:
    if path in cached:
        return True
    return any(is_same_or_inside(path, out) or overlap(out, path) for out in cached)


def _top_plot_files(pipelines: Pipelines) -> Iterator[RepoPath]:
    definitions, _ = definitions_of(pipelines)
    for plot in definitions:
        if plot.file:
            yield from plot.paths
