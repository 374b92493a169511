"""The records of attempts: written when one starts, finished when it ends, readable whatever happened in between.

The ref `refs/ob/attempts/<id>` is the truth: while it exists the attempt has not become an experiment, its commit keeps the
files, and its message the record. `.dvc/tmp/ob/runs/<id>/` holds a quick copy of the record, and the log
(docs/formats/attempts.md). Success moves the files to the experiment's ref in one transaction.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress

from offbranch.base.errors import ConflictError, GitError
from offbranch.base.files import atomic_write, remove_tree
from offbranch.base.paths import OB_DIR, AbsPath, join
from offbranch.base.records import replace
from offbranch.experiments.experiment import (
    Attempt,
    AttemptState,
    Experiment,
    ExperimentSpec,
    attempt_from_json,
    attempt_to_json,
)
from offbranch.experiments.refs import ATTEMPTS, attempt_ref, encode, lease_ref
from offbranch.git.objects import CommitId, ObjectReader, TreeId, write_commit
from offbranch.git.refs import ANY, RefUpdate, list_refs, update_refs
from offbranch.git.repository import GitRepo

RUNS_DIR = f"{OB_DIR}/runs"
_RECORD = "attempt.json"
_KEEP_SUCCEEDED = 100
_SUBJECT = "ob: attempt "


def attempt_dir(root: AbsPath, attempt_id: str) -> AbsPath:
    """Returns where an attempt keeps its record and log."""
    return join(root, f"{RUNS_DIR}/{attempt_id}")


def log_of(attempt_id: str) -> str:
    """Returns the log of an attempt, relative to the project root."""
    return f"{RUNS_DIR}/{attempt_id}/output.log"


def begin_attempt(repo: GitRepo, root: AbsPath, attempt: Attempt, tree: TreeId, *more: RefUpdate) -> Attempt:
    """Makes an attempt known before anything of it is done; `more` refs are written in the same transaction."""
    commit = _commit(repo, attempt, tree)
    update_refs(repo, [RefUpdate(ref=attempt_ref(attempt.id), new=commit, old=None), *more])
    attempt = replace(attempt, commit=commit)
    write_record(root, attempt)
    return attempt


def begin_leased(
    repo: GitRepo, root: AbsPath, attempt: Attempt, tree: TreeId, had: CommitId | None, *more: RefUpdate
) -> Attempt:
    """Does the same for a queued task, which becomes ours by it: the ref of its lease, one for each task, is at our attempt.

    Args:
        had: What that ref is at now: the attempt of a worker that died; None if it is not there.

    Raises:
        ConflictError: Somebody else has the task, or it is not in the queue any more; nothing has been done.
    """
    assert attempt.task_id is not None
    commit = _commit(repo, attempt, tree)
    lease = RefUpdate(ref=lease_ref(attempt.task_id), new=commit, old=had)
    update_refs(repo, [RefUpdate(ref=attempt_ref(attempt.id), new=commit, old=None), lease, *more])
    attempt = replace(attempt, commit=commit)
    write_record(root, attempt)
    return attempt


def end_attempt(repo: GitRepo, root: AbsPath, attempt: Attempt, tree: TreeId | None, *more: RefUpdate) -> Attempt:
    """Records how an attempt ended without becoming an experiment; `tree` is what its files are now.

    Raises:
        ConflictError: Its ref is not at `attempt.commit`: it has become an experiment, or was removed, meanwhile.
    """
    begun = attempt.commit
    if tree is not None:
        attempt = replace(attempt, commit=_commit(repo, attempt, tree))
    own = [RefUpdate(ref=attempt_ref(attempt.id), new=attempt.commit, old=begun)] if attempt.commit else []
    update_refs(repo, [*own, *more])
    write_record(root, attempt)
    return attempt


def end_update(repo: GitRepo, attempt: Attempt, tree: TreeId | None = None) -> tuple[Attempt, RefUpdate]:
    """Returns an attempt with a new commit, and the change of its ref.

    Args:
        repo: Where.
        attempt: As it is now; its commit still the one that its ref is at.
        tree: Its files now; None for those of that commit.
    """
    assert attempt.commit is not None
    if tree is None:
        with ObjectReader(repo) as objects:
            tree = objects.commit(attempt.commit).tree
    ended = replace(attempt, commit=_commit(repo, attempt, tree))
    return ended, RefUpdate(ref=attempt_ref(attempt.id), new=ended.commit, old=attempt.commit)


def publish(
    repo: GitRepo,
    root: AbsPath,
    attempt: Attempt,
    spec: ExperimentSpec,
    commit: CommitId,
    *more: RefUpdate,
    was: CommitId | None = None,
) -> Experiment:
    """Turns an attempt into an experiment: one transaction makes the ref and drops that of the attempt.

    Args:
        was: Where its own checkpoints have left the ref.

    Raises:
        ConflictError: Another experiment of this name has come into being; the attempt stays recorded.
    """
    ref = encode(spec.baseline, spec.name)
    updates = [
        RefUpdate(ref=ref, new=commit, old=ANY if spec.force else was),
        RefUpdate(ref=attempt_ref(attempt.id), new=None, old=ANY),
        *more,
    ]
    try:
        update_refs(repo, updates)
    except GitError:
        if (ref, str(commit)) not in list_refs(repo, ref):
            raise
        # Git was killed after the one change that counts: the rest is done now.
        update_refs(repo, [update for update in updates if update.ref != ref])
    except ConflictError as error:
        raise ConflictError(
            f"the experiment '{spec.name}' came into being while this one ran",
            hint="ob exp run -f replaces it; -n gives another name",
        ) from error
    with suppress(OSError):  # the refs have said it; what is left is a quick copy
        write_record(root, replace(attempt, commit=commit))
    return Experiment(name=spec.name, baseline=spec.baseline, commit=commit, ref=ref)


def list_attempts(repo: GitRepo, root: AbsPath) -> tuple[Attempt, ...]:
    """Returns the attempts that did not become experiments, newest first, the running ones among them."""
    kept = {ref.removeprefix(ATTEMPTS): CommitId(commit) for ref, commit in list_refs(repo, ATTEMPTS)}
    if not kept:
        return ()
    found = {attempt.id: attempt for attempt in read_records(root) if attempt.id in kept}
    lost = kept.keys() - found.keys()
    if lost:
        with ObjectReader(repo) as objects:
            for attempt_id in lost:
                attempt = attempt_of(objects.commit(kept[attempt_id]).message)
                if attempt is not None:
                    found[attempt_id] = attempt
    known = [replace(attempt, commit=kept[attempt.id]) for attempt in found.values()]
    return tuple(sorted(known, key=lambda attempt: (-attempt.started_utc, attempt.id)))


def forget_attempts(repo: GitRepo, root: AbsPath, attempts: tuple[Attempt, ...], *more: RefUpdate) -> None:
    """Removes attempts, their files and their logs; `more` refs are written in the same transaction."""
    own = [RefUpdate(ref=attempt_ref(attempt.id), new=None, old=ANY) for attempt in attempts]
    update_refs(repo, [*more, *own])
    for attempt in attempts:
        remove_tree(attempt_dir(root, attempt.id))


def write_record(root: AbsPath, attempt: Attempt) -> None:
    """Writes or replaces the quick copy of the record."""
    directory = attempt_dir(root, attempt.id)
    os.makedirs(directory, exist_ok=True)
    atomic_write(AbsPath(os.path.join(directory, _RECORD)), _text(attempt).encode())


def read_records(root: AbsPath) -> tuple[Attempt, ...]:
    """Returns the records that are on disk, newest first, also of attempts that succeeded; unreadable ones are left out."""
    return tuple(sorted(_read_all(root), key=lambda attempt: (-attempt.started_utc, attempt.id)))


def read_one(root: AbsPath, attempt_id: str) -> Attempt | None:
    """Returns the quick copy of one record; None if there is none that can be read."""
    try:
        with open(os.path.join(attempt_dir(root, attempt_id), _RECORD), encoding="utf-8") as file:
            return attempt_from_json(json.load(file))
    except (OSError, ValueError):
        return None


def prune_records(root: AbsPath) -> None:
    """Removes the oldest logs of attempts that became experiments; those of failed ones stay until they are removed."""
    succeeded = [attempt for attempt in read_records(root) if attempt.state is AttemptState.SUCCEEDED]
    for attempt in succeeded[_KEEP_SUCCEEDED:]:
        remove_tree(attempt_dir(root, attempt.id))


def _read_all(root: AbsPath) -> Iterator[Attempt]:
    try:
        names = os.listdir(join(root, RUNS_DIR))
    except FileNotFoundError:
        return
    for name in names:
        if (attempt := read_one(root, name)) is not None:
            yield attempt


def _commit(repo: GitRepo, attempt: Attempt, tree: TreeId) -> CommitId:
    message = f"{_SUBJECT}{attempt.name}\n\n{_text(attempt)}"
    parents = [commit for commit in (attempt.baseline, attempt.task_commit, attempt.checkpoint) if commit is not None]
    return write_commit(repo, tree=tree, parents=parents, message=message)


def attempt_of(message: str) -> Attempt | None:
    """Returns the record that the message of an attempt's commit holds; None for any other commit."""
    if not message.startswith(_SUBJECT):
        return None
    try:
        return attempt_from_json(json.loads(message.partition("\n\n")[2]))
    except ValueError:
        return None


def _text(attempt: Attempt) -> str:
    return json.dumps(attempt_to_json(attempt), indent=1) + "\n"
