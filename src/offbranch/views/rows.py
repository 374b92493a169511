"""Commits as states of `exp show --json`: from the row cache where they are known, otherwise read, all at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Progressed, Reporter
from offbranch.experiments.chains import chains_of
from offbranch.experiments.checkpoint_names import mark_of
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment
from offbranch.experiments.revision import RevisionData
from offbranch.experiments.revision_files import error_to_json
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.git.ids import CommitId
from offbranch.git.objects import Commit, ObjectReader
from offbranch.project import Project

# Others import it from here.
from offbranch.views.cells import local_time as local_time
from offbranch.views.row_cache import Row, RowCache

# Enough for one conversation with Git, few enough to tell how far it is.
_AT_ONCE = 500


class Rows:
    """The commits of one command."""

    def __init__(
        self, project: Project, objects: ObjectReader, reporter: Reporter, *, force: bool, param_deps: bool
    ) -> None:
        # With `param_deps` a row holds less than usual, so it is neither remembered nor taken from memory.
        self._cache = None if param_deps else RowCache(project.root, project.prefix, use_old=not force)
        self._objects = objects
        self._reporter = reporter
        self._reader = RevisionReader(objects, project.prefix, project.cache)
        self._param_deps = param_deps
        self._rows: dict[CommitId, Row] = {}
        self._errors: dict[CommitId, OffbranchError] = {}

    def load_commits(self, commits: Sequence[CommitId]) -> None:
        """Makes times and parents of many commits known in one go."""
        unknown = [commit for commit in commits if self._row(commit) is None]
        try:
            self._objects.commits(unknown)
        except OffbranchError:
            pass  # one of them is missing; each will say so itself

    def load(self, commits: Iterable[CommitId], *, unmeasured: bool = False) -> None:
        """Reads the commits that are not known yet.

        Args:
            commits: Which.
            unmeasured: They are tasks that wait: metrics in their files were measured before, and are not theirs.
        """
        key = _unmeasured if unmeasured else _as_it_is
        unknown = [each for each in commits if self._row(key(each)) is None and self._commit_is_there(each)]
        for start in range(0, len(unknown), _AT_ONCE):
            self._read(unknown[start : start + _AT_ONCE], unmeasured=unmeasured)
            done = min(start + _AT_ONCE, len(unknown))
            self._reporter.emit(Progressed(what="reading commits", done=done, total=len(unknown), unit="commits"))

    def _read(self, commits: Sequence[CommitId], *, unmeasured: bool) -> None:
        for commit, data in self._reader.read(commits, param_deps=self._param_deps).items():
            if isinstance(data, OffbranchError):
                self._errors[commit] = data
            else:
                about = self._objects.commit(commit)
                stored = {**_stored(data), "metrics": {}} if unmeasured else _stored(data)
                key = _unmeasured(commit) if unmeasured else commit
                row = Row(time_s=about.commit_time, parents=about.parents, data=stored, checkpoint=_checkpoint(about))
                self._put(key, row)

    def _put(self, key: CommitId, row: Row) -> None:
        self._rows[key] = row
        if self._cache is not None:
            self._cache.put(key, row)

    def save(self) -> None:
        """Remembers what was read for the next command."""
        if self._cache is not None:
            self._cache.save()

    def chains(self, experiments: Sequence[Experiment]) -> dict[str, tuple[CommitId, ...]]:
        """Returns the commits of experiments by ref, newest first, down to their baselines, which are left out.

        Chains that have been walked before are remembered: only what was added to them since is read then.
        """
        self.load_commits([each.commit for each in experiments])
        found: dict[str, tuple[CommitId, ...]] = {}
        long: list[Experiment] = []
        for each in experiments:
            parents = self._parents(each.commit)
            known = (each.commit,) if not parents or parents[0] == each.baseline else self._known_chain(each)
            if known is None:
                long.append(each)
            else:
                found[each.ref] = known
        remembered = {each.ref: chain for each in long if (chain := self._remembered_chain(each))}
        walked = chains_of(self._objects, long, remembered) if long else {}
        for each in long:
            # A ref that does not lead to its baseline must not list all of history.
            found[each.ref] = walked[each.ref] or (each.commit,)
            if self._cache is not None and walked[each.ref]:
                self._cache.put(_chained(each), Row(time_s=0, parents=walked[each.ref], data=_NOTHING))
        return found

    def _known_chain(self, experiment: Experiment) -> tuple[CommitId, ...] | None:
        chain = self._remembered_chain(experiment)
        return chain if chain and chain[0] == experiment.commit else None

    def _remembered_chain(self, experiment: Experiment) -> tuple[CommitId, ...]:
        row = None if self._cache is None else self._cache.get(_chained(experiment))
        return () if row is None else row.parents

    def checkpoint_of(self, commit: CommitId) -> Mapping[str, Any] | None:
        """Returns `number` and `step` of the checkpoint that a loaded commit is; None for any other."""
        row = self._row(commit)
        return None if row is None else row.checkpoint

    def time_of(self, commit: CommitId) -> int:
        """Returns when a commit was made; 0 when it cannot be read."""
        row = next((row for key in _KEYS if (row := self._row(key(commit))) is not None), None)
        if row is not None:
            return row.time_s
        try:
            return self._objects.commit(commit).commit_time
        except OffbranchError:
            return 0

    def newest_first(self, commits: Iterable[CommitId]) -> tuple[CommitId, ...]:
        """Returns commits in the order of their time."""
        return tuple(sorted(commits, key=lambda commit: (self.time_of(commit), commit), reverse=True))

    def state(self, commit: CommitId, name: str | None, *, unmeasured: bool = False) -> dict[str, Any]:
        """Returns the state of a commit that was loaded."""
        row, error = self._row(_unmeasured(commit) if unmeasured else commit), self._errors.get(commit)
        shown_error = None if error is None else error_to_json(error)
        return {"rev": commit, "name": name, "data": _data(commit, row), "error": shown_error, "experiments": None}

    def attempt_state(self, attempt: Attempt) -> dict[str, Any]:
        """Returns the state of an unfinished attempt: its parameters, and the metrics that it has written itself.

        Until its end is recorded, its own commit has the files that it began with; its newest checkpoint knows more.
        """
        commit = attempt.commit or attempt.baseline
        has_ended = attempt.state is not AttemptState.RUNNING
        files = commit if has_ended or attempt.checkpoint is None else attempt.checkpoint
        row = self._row(_attempted(files)) or self._read_attempt(files, attempt.baseline)
        return {"rev": commit, "name": attempt.name, "data": _data(commit, row), "error": None, "experiments": None}

    def _read_attempt(self, commit: CommitId, baseline: CommitId) -> Row | None:
        try:
            found = self._reader.read_attempt(commit, baseline)
            time_s = self._objects.commit(commit).commit_time
        except OffbranchError:
            return None
        if isinstance(found, OffbranchError):
            return None
        row = Row(time_s=time_s, parents=(baseline,), data=_stored(found))
        self._put(_attempted(commit), row)
        return row

    def _row(self, commit: CommitId) -> Row | None:
        row = self._rows.get(commit)
        if row is None and self._cache is not None:
            row = self._cache.get(commit)
            if row is not None:
                self._rows[commit] = row
        return row

    def _parents(self, commit: CommitId) -> tuple[CommitId, ...]:
        row = self._row(commit)
        if row is not None:
            return row.parents
        try:
            return self._objects.commit(commit).parents
        except OffbranchError:
            return ()

    def _commit_is_there(self, commit: CommitId) -> bool:
        try:
            self._objects.commit(commit)
        except OffbranchError as error:
            self._errors[commit] = error
            return False
        return True


def _stored(data: RevisionData) -> Mapping[str, Any]:
    return {"params": data.params, "metrics": data.metrics, "deps": data.deps, "outs": data.outs, "meta": {}}


def _data(commit: CommitId, row: Row | None) -> dict[str, Any] | None:
    return None if row is None else {"rev": commit, "timestamp": local_time(row.time_s), **row.data}


def _as_it_is(commit: CommitId) -> CommitId:
    return commit


# What a commit holds as a task or an attempt is less than what its files say, so it is remembered by another name.
def _unmeasured(commit: CommitId) -> CommitId:
    return CommitId(f"task-{commit}")


def _attempted(commit: CommitId) -> CommitId:
    return CommitId(f"attempt-{commit}")


def _chained(experiment: Experiment) -> CommitId:
    return CommitId(f"chain-{experiment.ref}")  # one line for each, however often it grows


def _checkpoint(commit: Commit) -> Mapping[str, Any] | None:
    mark = mark_of(commit)
    return None if mark is None else {"number": mark.number, "step": mark.step}


_NOTHING: Mapping[str, Any] = {"params": {}, "metrics": {}, "deps": {}, "outs": {}, "meta": {}}
_KEYS = (_as_it_is, _attempted, _unmeasured)
