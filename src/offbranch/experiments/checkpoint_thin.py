"""Removes the data of checkpoints that are not kept while their run goes on, so that it takes no more room than it has to.

Only objects that checkpoints of this run were the first to write, and that nothing else names: no other commit made since, no
dvc.lock of the workspace or of a copy in which something runs. Nobody is putting data into the cache meanwhile. What cannot be
told, or is in use, stays for `ob gc`.
"""

import os
from collections.abc import Iterator, Mapping

from offbranch.base.errors import OffbranchError
from offbranch.base.locks import hold_lock, holder_as_pid
from offbranch.base.paths import AbsPath, relative_to
from offbranch.experiments.activity import active_of_dvc
from offbranch.experiments.attempts import read_records
from offbranch.experiments.cache_users import alone_with_cache
from offbranch.experiments.checkpoint_kept import GrowingChain
from offbranch.experiments.checkpoint_terms import Terms
from offbranch.experiments.experiment import AttemptState
from offbranch.experiments.gc_uses import pipelines_at
from offbranch.experiments.refs import attempt_ref, encode, lease_ref
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.experiments.used import RevisionOutputs, outputs_of_stages
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import list_refs
from offbranch.git.repository import repo_git
from offbranch.project import Project
from offbranch.storage.gc import apply_gc, close_over, iter_sized_of, plan_gc, read_list
from offbranch.storage.objects import ObjectId, is_directory

_WAIT_S = 0.2


class Thinner:
    """Of one run; used by the thread that commits its checkpoints.

    Args:
        terms: Of the run.
        project: Handles of that thread.
    """

    def __init__(self, terms: Terms, project: Project) -> None:
        self._terms, self._project = terms, project
        self._own: set[ObjectId] = set()
        self._used_at: dict[CommitId, frozenset[ObjectId]] = {}
        self._others: dict[CommitId, frozenset[ObjectId]] = {}
        self._objects = ObjectReader(terms.repo)
        self._reader = RevisionReader(self._objects, project.prefix, project.cache)
        self._chain: GrowingChain | None = None
        self._outputs = RevisionOutputs(self._objects, project.prefix, project.cache)
        self._before = frozenset(self._refs_of_others().values())
        # Who else uses a cache that lies elsewhere cannot be told.
        self._is_ours = relative_to(AbsPath(os.path.realpath(project.cache.root)), os_root(terms)) is not None

    def note(self, commit: CommitId, *, new: tuple[ObjectId, ...], used: frozenset[ObjectId]) -> None:
        """Hears of a checkpoint that was made.

        Args:
            commit: It.
            new: Objects that it was the first to write.
            used: All that it needs.
        """
        if self._chain is None:
            self._chain = GrowingChain(self._objects, self._reader)
            if self._terms.spec.resumed is not None:
                self._chain.add(self._earlier(self._terms.spec.resumed))
        self._chain.add([commit])
        self._used_at[commit] = used
        self._own.update(new)

    def thin(self) -> int:
        """Removes what is not to be kept; returns how many objects went. Never raises for what others do."""
        if self._chain is None or not self._is_ours:
            return 0
        lock = AbsPath(os.path.join(self._terms.project.tmp_dir, "lock"))
        try:
            gone = self._chain.dropped()
            self._forget(gone)
            loose = self._candidates(gone)
            if not loose:
                return 0
            with (
                alone_with_cache(self._terms.root, wait_s=_WAIT_S) as is_alone,
                hold_lock(lock, content=holder_as_pid, wait_s=_WAIT_S),
            ):
                if not is_alone or next(active_of_dvc(self._terms.project), None) is not None:
                    return 0
                return self._remove(loose)
        except (OffbranchError, OSError):  # the next time, or `ob gc`
            return 0

    def close(self) -> None:
        """Ends what reads objects."""
        self._objects.close()

    def _candidates(self, gone: frozenset[CommitId]) -> frozenset[ObjectId]:
        kept: set[ObjectId] = set()
        loose: set[ObjectId] = set()
        for commit, used in self._used_at.items():
            (loose if commit in gone else kept).update(used)
        return frozenset((loose & self._own) - kept)

    def _remove(self, loose: frozenset[ObjectId]) -> int:
        keep = frozenset(self._in_use())
        plan = plan_gc(iter_sized_of(self._project.cache, loose), keep)
        apply_gc(plan, self._project.cache)
        self._own.difference_update(plan.ids)
        return len(plan.ids)

    def _forget(self, gone: frozenset[CommitId]) -> None:
        """Looks no more at checkpoints that have nothing left to lose."""
        for commit in gone & self._used_at.keys():
            if self._own.isdisjoint(self._used_at[commit]):
                del self._used_at[commit]

    def _in_use(self) -> Iterator[ObjectId]:
        """Yields the objects that anything names that is not this run's chain; raises where that cannot be told."""
        for root in self._places():
            yield from self._closed(used.id for used in outputs_of_stages(*pipelines_at(self._project, root)))
        refs = self._refs_of_others()
        tips = frozenset(refs.values())
        new = [*(tips - self._before), *self._made_since(tips)]
        for commit in dict.fromkeys(new):
            if commit not in self._others:
                self._others[commit] = frozenset(self._closed(used.id for used in self._outputs.of_commit(commit)))
            yield from self._others[commit]

    def _places(self) -> Iterator[AbsPath]:
        """Yields the directories in which something of this project may be recorded: the workspace, and running copies."""
        yield self._terms.root
        yield self._terms.place_root
        for attempt in read_records(self._terms.root):
            is_elsewhere = attempt.root not in (self._terms.root, self._terms.place_root)
            if attempt.state is AttemptState.RUNNING and is_elsewhere and os.path.isdir(attempt.root):
                yield AbsPath(attempt.root)

    def _closed(self, ids: Iterator[ObjectId]) -> Iterator[ObjectId]:
        tops = frozenset(ids)
        lists = {id: found for id in tops if is_directory(id) and (found := read_list(self._project.cache, id))}
        return iter(close_over(tops, lists).ids)

    def _refs_of_others(self) -> Mapping[str, CommitId]:
        spec, attempt = self._terms.spec, self._terms.chain.attempt
        own = {encode(spec.baseline, spec.name), attempt_ref(attempt.id), lease_ref(attempt.task_id or "")}
        return {ref: CommitId(at) for ref, at in list_refs(self._terms.repo) if ref not in own}

    def _made_since(self, tips: frozenset[CommitId]) -> list[CommitId]:
        own = [tip for tip in (self._terms.chain.tip,) if tip is not None]
        lines = "".join(f"{tip}\n" for tip in sorted(tips - self._before))
        lines += "".join(f"^{tip}\n" for tip in sorted({*self._before, *own}))
        out = repo_git(self._terms.repo, "rev-list", "--ignore-missing", "--stdin", input=lines.encode())
        return [CommitId(line) for line in out.decode().split()]

    def _earlier(self, resumed: CommitId) -> list[CommitId]:
        baseline = self._terms.spec.baseline
        out = repo_git(self._terms.repo, "rev-list", "--first-parent", "--reverse", resumed, f"^{baseline}")
        return [CommitId(line) for line in out.decode().split()]


def os_root(terms: Terms) -> AbsPath:
    """Returns the root of the user's project with symbolic links resolved."""
    return AbsPath(os.path.realpath(terms.root))
