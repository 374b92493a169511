"""Taking over tasks of DVC's queue: plan (reads only), then hand over, so that at every moment exactly one of us has a task.

The hand-over is the renaming of the message out of the directory that DVC's workers take messages from, under the lock of that
file: who renames it has it. Then one transaction makes our task, and a mark (`refs/ob/imports/<id>`) that says so; after that
what DVC still has is removed, the message and the mark last. Killed before the transaction, the message lies in a directory of
ours, and the next import goes on from there; killed after it, the mark says that only the rest is left to do.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from offbranch.base.errors import LockedError, OffbranchError
from offbranch.base.files import remove_file
from offbranch.base.locks import hold_existing
from offbranch.base.paths import ROOT, AbsPath, RepoPath, absolute, join, relative_to
from offbranch.base.records import record
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.refs import IMPORTS, list_experiments, task_ref
from offbranch.experiments.workbench import in_git
from offbranch.git.ids import BlobId, CommitId, ObjectName, TreeId
from offbranch.git.many_commits import CommitDraft, write_commits
from offbranch.git.objects import ObjectReader
from offbranch.git.reflog import drop_reflog_entry, read_reflog
from offbranch.git.refs import RefUpdate, list_refs, update_refs
from offbranch.git.repository import GitRepo
from offbranch.pipeline.path_locks import PathLocks
from offbranch.project import Project
from offbranch.queue.peer.options import FILE, PeerOptions, read_options
from offbranch.queue.peer.pickled import read_plain_pickle
from offbranch.queue.peer.tasks import EXPS_DIR, IMPORTS_DIR, WAITING_DIR, PeerTask, messages_in
from offbranch.queue.store import read_tasks
from offbranch.queue.task import StoredTask, Task, message_of
from offbranch.queue.terms import Terms, with_terms

STASH = "refs/exps/celery/stash"
_TRIES = 25
_PAUSE_S = 0.2


@record
class Refusal:
    """A task that stays DVC's, and why."""

    peer: PeerTask
    reason: str


@record
class Takeover:
    """What is to be taken over.

    Attributes:
        tasks: Each with the record that it gets, and the files that DVC has for it.
        refused: What stays DVC's.
    """

    tasks: tuple[tuple[PeerTask, Task, TreeId], ...]
    refused: tuple[Refusal, ...] = ()


@record
class TakenOver:
    """What has been taken over.

    Attributes:
        tasks: They are ours now.
        missed: A worker of DVC was faster.
    """

    tasks: tuple[StoredTask, ...] = ()
    missed: tuple[PeerTask, ...] = ()


def plan_takeover(project: Project, repo: GitRepo, peers: Sequence[PeerTask], terms: Terms) -> Takeover:
    """Decides which tasks can be taken over, as they are; nothing is changed."""
    taken = {(each.task.spec.baseline, each.name): "a task" for each in read_tasks(repo, project.root).all}
    made = {(each.baseline, each.name) for each in list_experiments(repo)}
    tasks: list[tuple[PeerTask, Task, TreeId]] = []
    refused: list[Refusal] = []
    with ObjectReader(repo) as objects:
        for peer in peers:
            try:
                task, tree = _task_of(project, objects, peer)
                key = (peer.baseline, peer.name)
                if key in taken or (key in made and not task.spec.force):
                    what = taken.get(key, "an experiment")
                    raise ValueError(f"{what} of the same baseline is called '{peer.name}' already")
                taken[key] = "a task"
                tasks.append((peer, with_terms(task, terms), tree))
            except (ValueError, OffbranchError) as error:
                refused.append(Refusal(peer=peer, reason=str(error)))
    return Takeover(tasks=tuple(tasks), refused=tuple(refused))


def take_over(project: Project, repo: GitRepo, planned: Takeover) -> TakenOver:
    """Makes the tasks ours; to be called by who alone imports at this moment.

    Raises:
        OffbranchError: Git refused; all of them are DVC's as before.
    """
    options = RepoPath(FILE)
    drafts = [
        CommitDraft(
            tree=tree,
            files={in_git(project, options): None},
            parent=task.spec.baseline,
            message=message_of(task),
            time_s=int(task.created_utc),
        )
        for _, task, tree in planned.tasks
    ]
    commits = write_commits(repo, drafts)
    own: list[tuple[PeerTask, StoredTask]] = []
    missed: list[PeerTask] = []
    for (peer, task, tree), commit in zip(planned.tasks, commits, strict=True):
        if _take_message(project.root, peer):
            own.append((peer, StoredTask(task=task, ref=task_ref(task.id), commit=commit, tree=tree)))
        else:
            missed.append(peer)
    try:
        updates = [RefUpdate(ref=stored.ref, new=stored.commit, old=None) for _, stored in own]
        updates += [RefUpdate(ref=f"{IMPORTS}{peer.id}", new=stored.commit, old=None) for peer, stored in own]
        update_refs(repo, updates)
    except OffbranchError:
        marked = {ref for ref, _ in list_refs(repo, IMPORTS)}
        for peer, _ in own:
            if f"{IMPORTS}{peer.id}" not in marked:
                _give_back(project.root, peer)
        raise
    finish_takeovers(project, repo)
    return TakenOver(tasks=tuple(stored for _, stored in own), missed=tuple(missed))


def finish_takeovers(project: Project, repo: GitRepo) -> int:
    """Removes what DVC still has of tasks that are ours; returns of how many. Also what a killed import left to do.

    An entry of DVC's stash that cannot be removed, because DVC holds it, stays for the next time; nothing runs it.
    """
    marks = {ref: CommitId(commit) for ref, commit in list_refs(repo, IMPORTS)}
    if not marks:
        return 0
    messages = [each for each in messages_in(project.root, IMPORTS_DIR) if f"{IMPORTS}{each.id}" in marks]
    if not _drop_stashes(project, repo, frozenset(each.commit for each in messages)):
        return 0
    for each in messages:
        remove_file(each.message_path)
    update_refs(repo, [RefUpdate(ref=ref, new=None, old=commit) for ref, commit in marks.items()])
    return len(messages)


def _task_of(project: Project, objects: ObjectReader, peer: PeerTask) -> tuple[Task, TreeId]:
    """Returns our record of a task, and its files.

    Raises:
        ValueError: It is one that cannot be understood.
        OffbranchError: Its commit is gone.
    """
    about = objects.commit(peer.commit)
    if peer.continues is not None or peer.head != peer.baseline or about.parents[:1] != (peer.baseline,):
        raise ValueError("it goes on with another experiment, which is not possible here")
    if not peer.name:
        raise ValueError("it has no name")
    given = _options_of(project, objects, about.tree)
    return (
        Task(
            id=_id_of(peer),
            spec=ExperimentSpec(
                name=peer.name,
                baseline=peer.baseline,
                overrides=(),
                targets=given.targets,
                message=peer.message,
                force=given.force,
                hydra=None,
            ),
            options=given.options,
            copy_paths=tuple(_inside(project, path) for path in peer.copy_paths),
            created_utc=peer.created_utc,
            order=1,
        ),
        about.tree,
    )


def _options_of(project: Project, objects: ObjectReader, tree: TreeId) -> PeerOptions:
    entry = objects.find(tree, in_git(project, RepoPath(FILE)))
    if entry is None:
        raise ValueError(f"its commit lacks '{FILE}', which says what to run")
    try:
        return read_options(read_plain_pickle(objects.blob(BlobId(entry.id))))
    except ValueError as error:
        raise ValueError(f"'{FILE}' of its commit is refused: {error}") from error


def _inside(project: Project, path: str) -> RepoPath:
    found = relative_to(absolute(path, base=project.root), project.root)
    if not found or found == ROOT:
        raise ValueError(f"the path '{path}' that it wants to have copied is not below the project")
    return found


def _id_of(peer: PeerTask) -> str:
    """Returns an id as ours are: sorted by the moment when it was queued, and told apart by what DVC calls it."""
    milliseconds = int(peer.created_utc * 1000) % 1000
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(peer.created_utc))
    return f"{stamp}-{milliseconds:03x}{hashlib.sha256(peer.id.encode()).hexdigest()[:3]}"


def _take_message(root: AbsPath, peer: PeerTask) -> bool:
    """Moves a message to where no worker of DVC looks for it; returns whether it is ours, and not that of a worker."""
    target = _own_place(root, peer)
    if peer.message_path == target:  # left by an import that was killed
        return True
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with hold_existing(peer.message_path) as is_held:
        if not is_held:
            return False
        try:
            os.rename(peer.message_path, target)
        except FileNotFoundError:
            return False
    return True


def _give_back(root: AbsPath, peer: PeerTask) -> None:
    name = os.path.basename(peer.message_path)
    with suppress(OSError):
        os.rename(_own_place(root, peer), join(root, f"{WAITING_DIR}/{name}"))


def _own_place(root: AbsPath, peer: PeerTask) -> AbsPath:
    return join(root, f"{IMPORTS_DIR}/{os.path.basename(peer.message_path)}")


def _drop_stashes(project: Project, repo: GitRepo, commits: Iterable[CommitId]) -> bool:
    """Removes entries of DVC's stash, under its lock; returns whether that was possible."""
    gone = {ObjectName(commit) for commit in commits}
    for _ in range(_TRIES):
        try:
            with PathLocks(join(project.root, EXPS_DIR)).hold(reads=(), writes=(AbsPath(STASH),)):
                entries = [n for n, entry in enumerate(read_reflog(repo, STASH)) if entry.new in gone]
                for position in reversed(entries):  # from the oldest on: the numbers of the others stay
                    drop_reflog_entry(repo, STASH, position)
                if not read_reflog(repo, STASH):  # killed after the last entry had gone, and before the ref
                    left = [(ref, at) for ref, at in list_refs(repo, STASH) if at in gone]
                    update_refs(repo, [RefUpdate(ref=ref, new=None, old=at) for ref, at in left])
                return True
        except LockedError:
            time.sleep(_PAUSE_S)
    return False
