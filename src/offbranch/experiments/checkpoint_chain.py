"""The commits that a run has made so far, and the refs that go with them (docs/formats/checkpoints.md).

One transaction for each checkpoint moves the experiment's ref, that of the attempt and, for a queued task, that of its lease,
each from where it was left. Who finds the experiment's ref elsewhere goes on without it; who finds another of them elsewhere
has lost the run to somebody, and changes nothing any more.
"""

import json
import threading
from collections.abc import Sequence

from offbranch.base.errors import ConflictError, GitError
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.records import replace
from offbranch.experiments.asked import Asked, asked_to_json
from offbranch.experiments.attempts import end_update, write_record
from offbranch.experiments.checkpoint_names import HEADER as CHECKPOINT_HEADER
from offbranch.experiments.checkpoint_names import mark_of
from offbranch.experiments.experiment import TASK_HEADER, Attempt, ExperimentSpec
from offbranch.experiments.labels import leftover_labels
from offbranch.experiments.refs import encode
from offbranch.git.objects import CommitId, ObjectName, ObjectReader, TreeId, add_headers, write_commit
from offbranch.git.refs import ANY, Anything, RefUpdate, list_refs, may_have_refs, update_refs
from offbranch.git.repository import GitRepo

_VERSION = 1


class LostError(Exception):
    """The run is not ours any more: another worker has its task, or somebody removed its attempt."""


class LeftOutError(Exception):
    """A file that was held has been changed all the same, so that there is no checkpoint."""


class Chain:
    """The chain of one run; used by one thread at a time, `close` by any.

    Attributes:
        attempt: The record as it is now.
        tip: The newest commit; None before the first, unless the run goes on from one.
        is_attached: Whether the ref of the experiment is at the tip.
        live: Paths that Live has written.
        place_root: Where its commands run.
    """

    def __init__(
        self, repo: GitRepo, root: AbsPath, spec: ExperimentSpec, attempt: Attempt, lease: str | None = None
    ) -> None:
        self.attempt = attempt
        self.tip = spec.resumed
        self.is_attached = False
        self.live: dict[RepoPath, None] = {}
        self.place_root = root
        self._repo, self._root, self._spec, self._lease = repo, root, spec, lease
        self._ref = encode(spec.baseline, spec.name)
        self._begun_tree: TreeId | None = None
        self._is_clashing = False
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def number(self) -> int:
        """The number of the newest checkpoint, along the whole chain."""
        return self.attempt.checkpoints

    @property
    def begun_tree(self) -> TreeId:
        """The files that the attempt began with."""
        if self._begun_tree is None:
            assert self.attempt.commit is not None
            with ObjectReader(self._repo) as objects:
                self._begun_tree = objects.commit(self.attempt.commit).tree
        return self._begun_tree

    def add(self, tree: TreeId, *, message: str, mark: str, headers: Sequence[tuple[str, str]] = ()) -> str | None:
        """Commits a checkpoint and moves the refs to it; returns what is to be said of the experiment's ref.

        Args:
            tree: Its files.
            message: Of its commit.
            mark: What `ob-checkpoint` says.
            headers: More of them.

        Raises:
            LostError: The run is not ours any more; nothing was changed.
            OffbranchError: Git failed; nothing was changed, or all of it.
        """
        parent = self.tip or self._spec.baseline
        own = [(TASK_HEADER, self.attempt.task_id)] if self.attempt.task_id is not None else []
        commit = write_commit(self._repo, tree=tree, parents=(parent,), message=message)
        commit = add_headers(self._repo, commit, [*headers, *own, (CHECKPOINT_HEADER, mark)])
        with self._lock:
            if self._is_closed:
                raise LostError
            return self._move(commit)

    def where_published(self) -> CommitId | None:
        """Returns where the experiment's ref is now, as far as that is this run's own doing; None where it is not there."""
        if self.tip is None and self.attempt.task_id is None:
            return None
        now = self._at(self._ref)
        return now if now is not None and now in (self.tip, own_chain(self._repo, self._spec, self.attempt)) else None

    def close(self) -> None:
        """From now on nothing is moved any more."""
        with self._lock:
            self._is_closed = True

    def _move(self, commit: CommitId) -> str | None:
        news: str | None = None
        old = self._expected()
        if old is not ANY:
            replaced = self.attempt.replaced
            if not self.is_attached and self._spec.force and old is not None:
                replaced = CommitId(old)
            more = () if self.is_attached else leftover_labels(self._repo, self._spec.baseline, self._spec.name)
            update = RefUpdate(ref=self._ref, new=commit, old=old)
            try:
                self._carry_out(commit, replaced, update, *more)
                self.is_attached = True
                return None
            except ConflictError:
                now = self._at(self._ref)
                if now == old:
                    raise LostError from None
                news = self._news(now)
        elif not self._is_clashing:
            news = f"an experiment '{self._spec.name}' came into being while this one runs"
        self._is_clashing, self.is_attached = True, False
        try:
            self._carry_out(commit, self.attempt.replaced)
        except ConflictError:
            raise LostError from None
        return news

    def _expected(self) -> CommitId | Anything | None:
        """Returns where the experiment's ref is to be; ANY where it is not to be touched."""
        if self._is_clashing:
            return ANY
        if self.is_attached:
            return self.tip
        now = self._at(self._ref)
        if now is None or self._spec.force or now in (self.tip, own_chain(self._repo, self._spec, self.attempt)):
            return now
        return ANY

    def _news(self, now: CommitId | None) -> str:
        what = "has been removed or renamed" if now is None else "has been changed by somebody else"
        return f"the experiment '{self._spec.name}' {what} while it runs"

    def _carry_out(self, commit: CommitId, replaced: CommitId | None, *updates: RefUpdate) -> None:
        moved = replace(self.attempt, checkpoints=self.number + 1, checkpoint=commit, replaced=replaced)
        moved, own = end_update(self._repo, moved, self.begun_tree)
        # The experiment's ref is the first to move: where Git is killed in between, it is what counts. Only what it replaces
        # is to be known before.
        every = [*updates, own] if replaced == self.attempt.replaced else [own, *updates]
        if self._lease is not None:
            every.append(RefUpdate(ref=self._lease, new=moved.commit, old=self.attempt.commit))
        move_refs(self._repo, every)
        self.attempt, self.tip = moved, commit
        try:
            write_record(self._root, replace(moved, root=self.place_root))
        except OSError:  # a quick copy: the refs have said it
            pass

    def _at(self, ref: str) -> CommitId | None:
        return _at(self._repo, ref)


def move_refs(repo: GitRepo, updates: Sequence[RefUpdate]) -> None:
    """Changes refs in one transaction, and finishes it where Git was killed in the middle.

    Raises:
        ConflictError: One is not where it was expected; nothing was changed.
        GitError: Git failed; nothing was changed.
    """
    try:
        update_refs(repo, updates)
        return
    except GitError:
        now = dict(list_refs(repo, *(update.ref for update in updates)))
        rest = [update for update in updates if now.get(update.ref) != _name(update.new)]
        if len(rest) == len(updates):
            raise
    update_refs(repo, rest)


def _name(commit: ObjectName | CommitId | None) -> ObjectName | None:
    return None if commit is None else ObjectName(commit)


def mark_text(
    asked: Asked,
    *,
    number: int,
    step: int | None,
    stage: str,
    keep: str,
    live: Sequence[RepoPath] = (),
    ended: Sequence[str] = (),
) -> str:
    """Returns the value of the header of a checkpoint."""
    mark = {"version": _VERSION, "number": number, "step": step, "stage": stage, "keep": keep}
    more = {key: list(texts) for key, texts in (("live", live), ("ended", ended)) if texts}
    return json.dumps({**mark, **more, "run": asked_to_json(asked)})


def header_of(repo: GitRepo, commit: CommitId) -> tuple[str | None, bool]:
    """Returns the task that a commit came from, and whether it is a checkpoint."""
    with ObjectReader(repo) as objects:
        content = objects.read_many((commit,)).get(ObjectName(commit), ("", b""))[1]
    return task_of_head(content)


def task_of_head(content: bytes) -> tuple[str | None, bool]:
    """Returns what the content of a commit says: the task that it came from, and whether it is a checkpoint."""
    lines = content.partition(b"\n\n")[0].split(b"\n")
    task, mark = f"{TASK_HEADER} ".encode(), f"{CHECKPOINT_HEADER} ".encode()
    found = next((line[len(task) :].decode("utf-8", "replace") for line in lines if line.startswith(task)), None)
    return found, any(line.startswith(mark) for line in lines)


def own_chain(repo: GitRepo, spec: ExperimentSpec, attempt: Attempt) -> CommitId | None:
    """Returns where the experiment's ref is, if an earlier run of the same queued task has left it at a checkpoint."""
    return None if attempt.task_id is None else own_chain_of(repo, spec, attempt.task_id)


def own_chain_of(repo: GitRepo, spec: ExperimentSpec, task_id: str) -> CommitId | None:
    """Returns the same for a task by its id."""
    ref = encode(spec.baseline, spec.name)
    now = _at(repo, ref)
    return now if now is not None and header_of(repo, now) == (task_id, True) else None


def _at(repo: GitRepo, ref: str) -> CommitId | None:
    listed = list_refs(repo, ref) if may_have_refs(repo, ref) else ()
    return next((CommitId(at) for found, at in listed if found == ref), None)


def caught_up(repo: GitRepo, attempt: Attempt) -> Attempt:
    """Returns the record of a killed run with the checkpoint that its chain has already and it has not.

    Git moves refs one by one, that of the experiment first, and may be killed in between.
    """
    now = _at(repo, encode(attempt.baseline, attempt.name))
    if now is None or now == attempt.checkpoint:
        return attempt
    with ObjectReader(repo) as objects:
        commit = objects.commit(now)
    mark = mark_of(commit)
    before = attempt.checkpoint or attempt.resumed or attempt.baseline
    if mark is None or commit.parents != (before,) or commit.commit_time < int(attempt.started_utc):
        return attempt
    return replace(attempt, checkpoint=now, checkpoints=mark.number)


def put_back(repo: GitRepo, attempt: Attempt) -> tuple[RefUpdate, ...]:
    """Returns what gives an experiment its name back that a run has taken by force and then not finished."""
    if attempt.replaced is None or attempt.checkpoint is None:
        return ()
    ref = encode(attempt.baseline, attempt.name)
    is_ours = (ref, ObjectName(attempt.checkpoint)) in list_refs(repo, ref)
    return (RefUpdate(ref=ref, new=attempt.replaced, old=attempt.checkpoint),) if is_ours else ()


def name_was_at(chain: Chain | None) -> CommitId | None:
    """Returns where the ref of an experiment is that is about to be published; None where there should be none."""
    return None if chain is None else chain.where_published()


def files_of_newest(repo: GitRepo, attempt: Attempt) -> TreeId | None:
    """Returns the files of the newest checkpoint of an attempt; None where it has made none."""
    if attempt.checkpoint is None:
        return None
    with ObjectReader(repo) as objects:
        return objects.commit(attempt.checkpoint).tree
