"""Clearing up after attempts whose process died without a word (SIGKILL, power failure).

The next action that writes to the project records them as interrupted, with the files as they are found, and puts back the
parameter files that still have the content the attempt gave them, and outputs that Git keeps. Outputs of the cache are
left as they are: dvc.lock does not name them, so nothing takes them for results, and 'ob checkout' brings the old ones back.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator

from offbranch.base.errors import ConflictError, OffbranchError
from offbranch.base.events import Reporter
from offbranch.base.files import read_if_there, remove_tree
from offbranch.base.paths import AbsPath, RepoPath, is_same_or_inside, join, relative_to
from offbranch.base.plugins import load as load_by_name
from offbranch.base.processes import host_name
from offbranch.base.records import replace
from offbranch.experiments.attempts import attempt_dir, end_attempt, list_attempts, read_records
from offbranch.experiments.checkpoint_chain import caught_up, files_of_newest, put_back
from offbranch.experiments.checkpoint_requests import HANDOFF_DIR
from offbranch.experiments.commit import files_of_stages, snapshot_of
from offbranch.experiments.events import AttemptRecovered
from offbranch.experiments.experiment import Attempt, AttemptState, Where
from offbranch.experiments.leases import is_carried_out
from offbranch.experiments.loading import load
from offbranch.experiments.peer_signals import clear_running
from offbranch.experiments.refs import EXEC_HEAD, lease_ref
from offbranch.experiments.restore import read_files, restore_files
from offbranch.experiments.workbench import in_git
from offbranch.git.checkout import apply_tree_checkout, plan_tree_checkout
from offbranch.git.objects import CommitId, ObjectReader, TreeId
from offbranch.git.refs import ANY, RefUpdate, list_refs
from offbranch.git.repository import GitRepo
from offbranch.git.tree_reader import TreeReader
from offbranch.params.apply import plan_overrides
from offbranch.params.overrides import parse_override
from offbranch.project import Project
from offbranch.storage.workspace import observe


def recover_attempts(
    project: Project, repo: GitRepo, reporter: Reporter, *, clock: Callable[[], float] = time.time
) -> None:
    """Records every attempt whose process is gone as interrupted, and undoes what it did to parameter files."""
    dead = [attempt for attempt in read_records(project.root) if _is_dead(attempt, project)]
    if not dead:
        return
    known = {attempt.id: attempt for attempt in list_attempts(repo, project.root)}
    for attempt in dead:
        _clear_up(project, attempt)
        if attempt.id in known:
            _recover(project, repo, known[attempt.id], reporter, clock())
        else:
            _forget(project, attempt, reporter)


def _is_dead(attempt: Attempt, project: Project) -> bool:
    # A temporary run works in a copy below `.dvc/tmp` of the project.
    is_ours = relative_to(AbsPath(attempt.root), project.root) is not None
    if attempt.task_id is not None and is_carried_out(project.root, attempt):
        return False  # a command that it left behind still runs
    return is_ours and attempt.state is AttemptState.RUNNING and attempt.true_state is AttemptState.INTERRUPTED


def _clear_up(project: Project, attempt: Attempt) -> None:
    """Removes what a killed run left on its way: requests for checkpoints, and unfinished objects, which may be large."""
    remove_tree(join(AbsPath(attempt.root), f"{HANDOFF_DIR}/{attempt.id}"))
    # A cache elsewhere may have temporary files of other machines, with the same process id.
    is_ours = (
        relative_to(AbsPath(os.path.realpath(project.cache.root)), AbsPath(os.path.realpath(project.root))) is not None
    )
    if is_ours and attempt.process.host == host_name():
        load_by_name("offbranch.storage.gc:remove_temporaries_of")(project.cache, attempt.process.pid)


def _recover(project: Project, repo: GitRepo, attempt: Attempt, reporter: Reporter, now_utc: float) -> None:
    tree: TreeId | None = None
    restored: tuple[RepoPath, ...] = ()
    drop: tuple[RefUpdate, ...] = ()
    attempt = caught_up(repo, attempt)
    if attempt.where is Where.WORKSPACE:
        tree = files_as_found(project, repo, attempt)
        unfinished = tuple(_unfinished_outputs(project, attempt)) if attempt.resumed is not None else ()
        restored = _restore_parameters(project, attempt)
        if tree is not None:
            restored += _restore_unfinished(project, repo, attempt, tree)
            restored += _restore_replaced(project, attempt, unfinished)
        clear_running(project)
        drop = (RefUpdate(ref=EXEC_HEAD, new=None, old=ANY),)
    elif attempt.task_id is not None:
        lease = lease_ref(attempt.task_id)
        drop = tuple(
            RefUpdate(ref=ref, new=None, old=at) for ref, at in list_refs(repo, lease) if at == str(attempt.commit)
        )
    if tree is None:
        tree = files_of_newest(repo, attempt)
    drop += put_back(repo, attempt)
    ended = replace(
        attempt, state=AttemptState.INTERRUPTED, ended_utc=now_utc, cause="the process that ran it was killed"
    )
    try:
        end_attempt(repo, project.root, ended, tree, *drop)
    except ConflictError:
        if attempt.task_id is None:
            raise
        return  # a worker of the queue was faster: it has recorded it, and taken the task
    reporter.emit(AttemptRecovered(name=attempt.name, paths=restored))


def _forget(project: Project, attempt: Attempt, reporter: Reporter) -> None:
    """Clears up an attempt without a ref: killed before it had one, or after its experiment was published."""
    if attempt.commit is None:
        restored = _restore_parameters(project, attempt)
        if restored:
            reporter.emit(AttemptRecovered(name=attempt.name, paths=restored))
    clear_running(project)
    os.unlink(join(attempt_dir(project.root, attempt.id), "attempt.json"))


def files_as_found(project: Project, repo: GitRepo, attempt: Attempt) -> TreeId | None:
    """Returns the workspace as a tree, without outputs that are older than the attempt; None if it cannot be read."""
    try:
        pipelines = load(project)
        stale = [
            out.path
            for stage in pipelines.stages
            for out in stage.outs
            if not out.cache and out.path is not None and _is_older(project, out.path, attempt.started_utc)
        ]
        return snapshot_of(project, repo, files_of_stages(pipelines, pipelines.stages), exclude=stale)
    except OffbranchError:
        return None


def _restore_unfinished(project: Project, repo: GitRepo, attempt: Attempt, found: TreeId) -> tuple[RepoPath, ...]:
    """Puts back what Git keeps of outputs that the attempt removed, or made without getting as far as recording them.

    What is replaced stays in the commit of the attempt (`found`).
    """
    assert attempt.commit is not None
    unfinished = [in_git(project, path) for path in _unfinished_outputs(project, attempt)]
    with ObjectReader(repo) as objects:
        before = objects.commit(attempt.commit).tree
    plan = plan_tree_checkout(repo, found, before)
    changes = tuple(c for c in plan.changes if any(is_same_or_inside(c.path, out) for out in unfinished))
    apply_tree_checkout(repo, replace(plan, changes=changes, blocked=()))
    cut = len(project.prefix) + 1 if project.prefix else 0
    return tuple(RepoPath(change.path[cut:]) for change in changes)


def _unfinished_outputs(project: Project, attempt: Attempt) -> Iterator[RepoPath]:
    pipelines = load(project)
    for stage in pipelines.stages:
        locked = pipelines.locks.get(stage.address)
        recorded = {item.written: item.md5 for item in locked.outs} if locked else {}
        for out in stage.outs:
            if out.cache or out.persist or out.path is None or _is_older(project, out.path, attempt.started_utc):
                continue
            content = observe(join(project.root, out.path), state=project.state, ignore=project.ignore, rel=out.path)
            if content is None or content.id != recorded.get(out.written):
                yield out.path


def _is_older(project: Project, path: RepoPath, started_utc: float) -> bool:
    try:
        return os.stat(join(project.root, path)).st_mtime < started_utc
    except OSError:
        return False


def _restore_parameters(project: Project, attempt: Attempt) -> tuple[RepoPath, ...]:
    """Puts back the parameter files that still hold what the overrides make of their old content."""
    if not attempt.originals:
        return ()
    before = {
        RepoPath(path): None if text is None else text.encode("utf-8", "surrogateescape")
        for path, text in attempt.originals.items()
    }
    try:
        overrides = [parse_override(text) for text in attempt.overrides]
        begun = before if attempt.resumed is None else _at_checkpoint(project, attempt.resumed, before)
        written = plan_overrides(lambda path: begun.get(RepoPath(path)), overrides)
    except OffbranchError:
        return ()
    ours = {
        **(begun if attempt.resumed is not None else {}),
        **{RepoPath(path): text for path, text in written.items()},
    }
    return restore_files(project.root, before, ours)


def _at_checkpoint(project: Project, commit: CommitId, paths: Iterable[RepoPath]) -> dict[RepoPath, bytes | None]:
    """Returns what a run that went on from a checkpoint had made of some files."""
    assert project.repo is not None
    with ObjectReader(project.repo) as objects:
        reader = TreeReader(objects, objects.commit(commit).tree, project.prefix)
        return {path: read_if_there(reader, path) for path in paths}


def _restore_replaced(project: Project, attempt: Attempt, paths: Iterable[RepoPath]) -> tuple[RepoPath, ...]:
    """Puts back outputs that Git keeps and that were others before a run went on from a checkpoint."""
    texts = {path: attempt.originals[path] for path in paths if path in attempt.originals}
    before = {path: None if text is None else text.encode("utf-8", "surrogateescape") for path, text in texts.items()}
    return restore_files(project.root, before, read_files(project.root, before))
