"""An experiment in a temporary copy of the workspace: the same `run_in`, with another root.

The copy is a linked work tree from a pool, filled with the workspace as it is now (tracked files and staged ones; data by
links from the shared cache, as the stages need it). Nothing of it shows in the user's workspace.
"""

import os
from collections.abc import Callable, Iterable, Mapping

from offbranch.base.errors import NotFoundError, OffbranchError
from offbranch.base.events import Warned
from offbranch.base.files import atomic_write, read_if_there
from offbranch.base.lock_holders import end_holders
from offbranch.base.paths import (
    DVC_DIR,
    LOCAL_CONFIG_FILE,
    OB_DIR,
    AbsPath,
    RepoPath,
    is_same_or_inside,
    join,
    relative_to,
)
from offbranch.base.plugins import load as load_by_name
from offbranch.base.records import record, replace
from offbranch.base.undisturbed import undisturbed
from offbranch.experiments.attempt_end import conclude, give_up
from offbranch.experiments.attempts import begin_attempt, begin_leased, write_record
from offbranch.experiments.commit import files_of_stages, snapshot_of
from offbranch.experiments.composition import source_files
from offbranch.experiments.data_changes import with_changed_data
from offbranch.experiments.events import ExperimentStarted
from offbranch.experiments.experiment import ExperimentSpec, Where
from offbranch.experiments.preview import look_ahead
from offbranch.experiments.refs import lease_ref
from offbranch.experiments.resume_files import Resumed
from offbranch.experiments.run import Outcome, parse_overrides, write_parameter_files
from offbranch.experiments.run_environment import note_environment
from offbranch.experiments.underway import (
    Fate,
    Launch,
    Ran,
    Underway,
    carry_out_in,
    fate_of,
    new_attempt,
    raise_if_failed,
    with_chain,
)
from offbranch.experiments.workbench import in_git
from offbranch.git.collecting import no_collection
from offbranch.git.ignore import ignored_files, untracked_files
from offbranch.git.objects import CommitId, TreeId
from offbranch.git.refs import RefUpdate
from offbranch.git.repository import GitRepo
from offbranch.git.worktree import lock_of_copy, open_working_copy
from offbranch.params.apply import file_of
from offbranch.pipeline.options import RunOptions
from offbranch.project import Project, open_project_at

COPIES_DIR = f"{OB_DIR}/copies"


@record
class Prepared:
    """A temporary run that is recorded and has all it needs of the workspace; carrying it out needs no lock of it.

    Attributes:
        tree: What the copy is filled with.
        written: New contents of parameter files.
        copy_paths: Paths of the workspace that the copy shall have too.
        keep_open: Descriptors of locks that live as long as its commands.
    """

    under: Underway
    tree: TreeId
    written: Mapping[RepoPath, bytes]
    copy_paths: tuple[AbsPath, ...]
    keep_open: tuple[int, ...] = ()


def prepare_temporary(
    project: Project,
    repo: GitRepo,
    spec: ExperimentSpec,
    options: RunOptions,
    launch: Launch,
    *,
    copy_paths: Iterable[AbsPath] = (),
    resumed: Resumed | None = None,
) -> Prepared:
    """Records a temporary run, with the workspace as it is now.

    Args:
        resumed: What it goes on from, with files of its own.
        copy_paths: Untracked or ignored files and directories of the workspace that the copy shall have too.

    Raises:
        OffbranchError: Something is wrong with the input; nothing has been changed.
    """
    copy_paths = tuple(copy_paths)
    check_copies(project, copy_paths)
    sources = source_files(project, spec.hydra)
    ahead = look_ahead(project, spec, options, launch.reporter, None if resumed is None else resumed.files)
    with no_collection(repo):
        if resumed is not None:
            tree = resumed.tree
        else:
            files = (*files_of_stages(ahead.pipelines, ahead.pipelines.stages), *ahead.written, *sources)
            tree = with_changed_data(project, repo, ahead.pipelines, snapshot_of(project, repo, files))
        attempt = begin_attempt(repo, project.root, new_attempt(project, spec, launch, Where.TEMPORARY), tree)
    note_environment(project.root, attempt.id, project.environment.all)
    under = Underway(project=project, repo=repo, spec=spec, launch=launch, attempt=attempt)
    under = replace(under, supersedes=resumed.supersedes if resumed is not None else ())
    # What Git ignores of the configuration is no part of the experiment, but its commands may read it.
    hidden = ignored_files(repo, [in_git(project, path) for path in sources])
    copy_paths += tuple(join(repo.root, path) for path in hidden)
    return Prepared(under=under, tree=tree, written=ahead.written, copy_paths=copy_paths)


@record
class QueuedFiles:
    """A queued task, for its run: its files are all there, parameters included.

    Attributes:
        id: The task.
        ref: Its ref.
        commit: Its commit.
        tree: Its files.
        copy_paths: Paths of the workspace that the copy shall have too.
        round: How often the user has queued it.
        fate: What an error means for it.
        lease_lock: Descriptor of the lock that says that it runs; its commands inherit it.
        before: Changes of refs that go with its beginning: the end of an attempt whose worker has died.
        had: What the ref of its lease is at: that attempt.
    """

    id: str
    ref: str
    commit: CommitId
    tree: TreeId
    copy_paths: tuple[AbsPath, ...] = ()
    round: int = 1
    fate: Callable[[BaseException], Fate] = fate_of
    lease_lock: int
    before: tuple[RefUpdate, ...] = ()
    had: CommitId | None = None


def prepare_queued(
    project: Project, repo: GitRepo, spec: ExperimentSpec, queued: QueuedFiles, launch: Launch
) -> Prepared:
    """Records the run of a queued task.

    Raises:
        ConflictError: The task is not there any more.
    """
    attempt = replace(
        new_attempt(project, spec, launch, Where.QUEUE),
        task_id=queued.id,
        task_commit=queued.commit,
        task_round=queued.round,
    )
    is_there = RefUpdate(ref=queued.ref, new=queued.commit, old=queued.commit)
    with no_collection(repo):
        attempt = begin_leased(repo, project.root, attempt, queued.tree, queued.had, is_there, *queued.before)
    note_environment(project.root, attempt.id, project.environment.all)
    under = Underway(
        project=project,
        repo=repo,
        spec=spec,
        launch=launch,
        attempt=attempt,
        task=queued.ref,
        lease=lease_ref(queued.id),
        fate=queued.fate,
    )
    return Prepared(
        under=under, tree=queued.tree, written={}, copy_paths=queued.copy_paths, keep_open=(queued.lease_lock,)
    )


def run_prepared(prepared: Prepared, options: RunOptions) -> Ran:
    """Carries out a temporary run.

    Raises:
        StageFailedError: A stage failed; the attempt is recorded.
        Interrupted: The user stopped it; likewise.
    """
    under = with_chain(prepared.under)
    project, spec = under.project, under.spec
    under.launch.reporter.emit(ExperimentStarted(name=spec.name, log=under.attempt.log))
    place, outcome = project, None
    try:
        with open_working_copy(under.repo, join(project.root, COPIES_DIR), prepared.tree, spec.baseline) as copy:
            place = _open_copy(
                project, AbsPath(os.path.join(copy.root, project.prefix) if project.prefix else copy.root)
            )
            try:
                # Where its metrics appear, for whoever looks at it while it runs.
                write_record(project.root, replace(under.attempt, root=place.root))
                check_copies(project, prepared.copy_paths)
                _copy_paths(project, place, prepared.copy_paths)
                write_parameter_files(place, prepared.written)
                keep_open = (copy.lock.descriptor, *prepared.keep_open)
                copied = tuple(inside for path in prepared.copy_paths if (inside := relative_to(path, project.root)))
                outcome = carry_out_in(
                    place, under, options, keep_open=keep_open, parameters=prepared.written, copy_paths=copied
                )
                raise_if_failed(outcome, options)
                _warn_of_untracked(place, copy.repo, outcome, under)
                experiment = conclude(under, place, outcome)
            except BaseException as error:
                with undisturbed():
                    # Nothing shall go on in a copy that is put in order for others.
                    end_holders(lock_of_copy(copy.root))
                    give_up(under, place, outcome, error, restore=_nothing)
                raise
            finally:
                place.state.close()
    except BaseException as error:
        if place is project:  # there was no copy to look at
            give_up(under, project, None, error, restore=_nothing)
        raise
    return Ran(experiment=experiment, outcome=outcome)


def _nothing() -> None:
    """Puts nothing back: the copy is thrown away."""


def _open_copy(project: Project, root: AbsPath) -> Project:
    """Opens the copy with the cache of the workspace, and tells tools that run in it where that is."""
    local = read_if_there(project.reader, LOCAL_CONFIG_FILE) or b""
    text = local.decode("utf-8", "replace").rstrip("\n")
    cache = project.cache.root
    if relative_to(cache, project.root) is not None:
        # Seen from the file itself: the path of the project may have characters that no value of a config can hold.
        cache = AbsPath(os.path.relpath(cache, join(root, DVC_DIR)))
    shared = f"[cache]\n    dir = {cache}\n"
    os.makedirs(join(root, ".dvc"), exist_ok=True)
    atomic_write(join(root, LOCAL_CONFIG_FILE), f"{text}\n{shared}".lstrip("\n").encode())
    return open_project_at(root, project.environment, cache_dir=project.cache.root)


def check_copies(project: Project, paths: Iterable[AbsPath]) -> None:
    """Makes sure that paths which a copy shall have are there, and in the project.

    Raises:
        OffbranchError: One is not.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise NotFoundError(f"cannot copy '{path}': it does not exist", hint="give a path of the workspace to -C")
        if not (path + os.sep).startswith(project.root + os.sep):
            raise OffbranchError(
                f"cannot copy '{path}': it lies outside of the project", hint="give a path of the workspace to -C"
            )


def _copy_paths(project: Project, place: Project, paths: Iterable[AbsPath]) -> None:
    for path in paths:
        target = join(place.root, RepoPath(os.path.relpath(path, project.root).replace(os.sep, "/")))
        load_by_name("offbranch.storage.copying:copy_tree")(path, target)


def _warn_of_untracked(place: Project, repo: GitRepo, outcome: Outcome, under: Underway) -> None:
    results = outcome.result.stages
    part = (
        *files_of_stages(outcome.pipelines, (result.stage for result in results)),
        *(path for result in results for path in result.touched),
        *(file_of(override) for override in parse_overrides(under.spec)),
        *(under.chain.live if under.chain is not None else ()),
    )
    taken = [in_git(place, path) for path in part]
    left = [path for path in untracked_files(repo, ()) if not any(is_same_or_inside(path, each) for each in taken)]
    if left:
        names = ", ".join(f"'{path}'" for path in left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        under.launch.reporter.emit(
            Warned(
                text=f"files that the run made but Git does not track are not part of the experiment: {names}",
                hint="make them outputs in dvc.yaml, or add them to Git",
            )
        )
