"""Makes one checkpoint after the other: what is held becomes cache objects, a tree, a commit, and last the refs move.

Loaded when the first is asked for. `take` is called from one thread, `make` from another one; each has handles of its own.
"""

from collections.abc import Sequence

from offbranch.base.paths import RepoPath, join
from offbranch.base.records import record, replace
from offbranch.experiments.cache_users import using_cache
from offbranch.experiments.checkpoint_chain import LeftOutError, mark_text
from offbranch.experiments.checkpoint_requests import HANDOFF_DIR
from offbranch.experiments.checkpoint_snapshot import Holding, Running, Snapshot, let_go, take
from offbranch.experiments.checkpoint_terms import Terms
from offbranch.experiments.checkpoint_thin import Thinner
from offbranch.experiments.checkpoint_tree import Recorded, TreeMaker
from offbranch.experiments.commit import standard_message
from offbranch.experiments.composition import composition_headers
from offbranch.git.collecting import no_collection
from offbranch.git.ids import CommitId
from offbranch.pipeline.stage import LockedStage, Stage
from offbranch.project import Project, open_project_at
from offbranch.storage.still import ChangedError, Room


@record
class Made:
    """A checkpoint that there is now.

    Attributes:
        news: What is to be said of the experiment's ref, which is not where it was left.
    """

    commit: CommitId
    news: str | None


class Maker:
    """Of one run."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        own = _open_again(terms.place)
        self._holding = Holding(place=own, cache=own.cache, state=own.state)
        self._can_clone: bool | None = None
        self._project = _open_again(terms.place)
        self._thinner = Thinner(terms, self._project)
        self._trees = TreeMaker(
            self._project,
            terms.repo,
            terms.chain.begun_tree,
            terms.parameters,
            join(terms.place_root, f"{HANDOFF_DIR}/{terms.chain.attempt.id}/stage"),
            int(terms.chain.attempt.started_utc * 1e9),
        )

    def take(
        self,
        running: Sequence[tuple[Stage, LockedStage]],
        live: Sequence[RepoPath],
        step: int | None,
        *,
        copies_first: bool,
    ) -> Snapshot:
        """Holds the outputs of stages whose commands run.

        Raises:
            OffbranchError: One cannot be read.
        """
        room = Room(copies_first=copies_first, can_clone=self._can_clone)
        stages = [Running(stage=stage, described=described) for stage, described in running]
        number = self._terms.chain.number + 1
        snapshot = take(self._holding, stages, live, room, number=number, step=step)
        self._can_clone = room.can_clone
        return snapshot

    def take_end(self, ends: Sequence[str], live: Sequence[RepoPath], *, copies_first: bool) -> Snapshot:
        """Holds what Live has written by the end of some stages; what they have made is recorded already.

        May be called from any thread while nobody else takes anything.

        Raises:
            OffbranchError: It cannot be read.
        """
        return replace(self.take((), live, None, copies_first=copies_first), ends=tuple(ends))

    def make(self, snapshot: Snapshot, running: Sequence[Stage], ended: Sequence[str]) -> Made:
        """Commits what is held.

        Args:
            snapshot: What is held.
            running: All stages whose commands run, or have ended and nothing is recorded of them yet.
            ended: Addresses of stages that have come to their end, and are recorded.

        Raises:
            LeftOutError: A file was changed while it was copied.
            LostError: The run is not ours any more.
            OffbranchError: Git failed, or the disk is full.
        """
        try:
            let_go(snapshot, self._project.cache)
        except ChangedError as error:
            raise LeftOutError(str(error)) from error
        with no_collection(self._terms.repo), using_cache(self._terms.root):
            try:
                made, recorded = self._commit(snapshot, running, ended)
            except BaseException:
                self._trees.forget()
                raise
        self._thinner.note(made.commit, new=recorded.new, used=self._trees.ids_in_use())
        self._thinner.thin()
        return made

    def _commit(self, snapshot: Snapshot, running: Sequence[Stage], ended: Sequence[str]) -> tuple[Made, Recorded]:
        terms, chain = self._terms, self._terms.chain
        written = [path for path, _ in snapshot.live]
        left = [path for path in chain.live if path not in written]
        recorded = self._trees.record(snapshot)
        tree = self._trees.tree(snapshot, recorded, running, left)
        names = {stage.running.stage.address: stage.running.stage.name for stage in snapshot.stages}
        own = {name: recorded.entries[address] for address, name in names.items() if name is not None}
        message = terms.spec.message or standard_message({**self._trees.entries_on_record(ended), **own})
        mark = mark_text(
            terms.asked,
            number=snapshot.number,
            step=snapshot.step,
            stage=", ".join((*names, *snapshot.ends)),
            keep=terms.spec.checkpoints.keep,
            live=written + left,
            ended=ended,
        )
        news = chain.add(tree, message=message, mark=mark, headers=composition_headers(terms.spec))
        assert chain.tip is not None
        return Made(commit=chain.tip, news=news), recorded

    def end_taking(self) -> None:
        """Closes what `take` has opened, from its thread."""
        self._holding.state.close()

    def end_making(self) -> None:
        """Closes what `make` has opened, from its thread."""
        self._thinner.close()
        self._project.state.close()


def _open_again(place: Project) -> Project:
    return open_project_at(place.root, place.environment, cache_dir=place.cache.root)
