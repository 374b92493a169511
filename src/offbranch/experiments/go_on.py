"""Going on from a checkpoint: which stages had not ended there, and their outputs as they were (docs/formats/checkpoints.md).

All of it is told by the commit alone, so that a task goes on the same way wherever it is taken.
"""

from collections.abc import Iterator, Mapping

from offbranch.base.errors import MissingDataError
from offbranch.base.paths import GitPath, is_same_or_inside
from offbranch.base.records import record, replace
from offbranch.experiments.checkpoint_names import CheckpointMark, mark_of
from offbranch.experiments.commit import own_message
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.loading import parsing_options
from offbranch.experiments.workbench import in_git
from offbranch.git.checkout import TreeCheckout, apply_tree_checkout
from offbranch.git.ids import CommitId, TreeId
from offbranch.git.objects import ObjectReader, diff_trees, empty_tree
from offbranch.git.repository import GitRepo
from offbranch.git.tree_reader import TreeReader
from offbranch.pipeline.carry_out import put_back
from offbranch.pipeline.facts import is_at_url, place_on_disk
from offbranch.pipeline.going_on import GoingOn, stays
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.options import ExecuteOptions
from offbranch.pipeline.stage import LockedStage, Output, Pipelines, Stage
from offbranch.pipeline.unfinished import checkpoint_of
from offbranch.pipeline.workbench import Workbench
from offbranch.project import Project
from offbranch.storage.links import unprotect
from offbranch.storage.objects import ObjectId


@record
class Beginning:
    """What a run goes on from.

    Attributes:
        commit: It.
        number: The checkpoint; of the end of a run, the last before it.
        is_finished: It is the end of a run.
        tree: Its files.
        pipelines: What they say.
        entries: Address of each stage that goes on -> what is recorded of it.
        ended: Addresses of stages that had come to their end by then; of these, those in `entries` go on only where something
            that they depend on has changed.
        mark: What the commit of that checkpoint says.
        message: The user's own message of its commit; None for the usual one.
    """

    commit: CommitId
    number: int
    is_finished: bool
    tree: TreeId
    pipelines: Pipelines
    entries: Mapping[str, LockedStage]
    mark: CheckpointMark | None
    ended: frozenset[str] = frozenset()
    message: str | None = None


def read_beginning(project: Project, objects: ObjectReader, commit: CommitId, baseline: CommitId) -> Beginning:
    """Reads a commit of a chain as what a run goes on from.

    Raises:
        OffbranchError: Its files cannot be understood.
    """
    found = objects.commit(commit)
    tree = found.tree
    number, mark = _last_mark(objects, commit, baseline)
    reader = TreeReader(objects, tree, project.prefix)
    pipelines = load_pipelines(reader, ignores=project.ignore.ignores, options=parsing_options(project))
    is_finished = mark_of(found) is None
    return Beginning(
        commit=commit,
        number=number,
        is_finished=is_finished,
        tree=tree,
        pipelines=pipelines,
        entries=dict(_entries(pipelines, mark)),
        mark=mark,
        ended=frozenset() if mark is None or is_finished else mark.ended,
        message=own_message(found.message),
    )


def wanted_of(begun: Beginning) -> dict[str, ObjectId]:
    """Returns the cached outputs of the stages that go on: path as written -> content."""
    outs = {stage.address: {out.written for out in stage.outs if out.cache} for stage in begun.pipelines.stages}
    return {
        item.written: ObjectId(item.md5)
        for address, entry in begun.entries.items()
        for item in entry.outs
        if item.md5 is not None and item.written in outs[address]
    }


def begun_at(repo: GitRepo, spec: ExperimentSpec) -> int:
    """Returns the number of the checkpoint that a run goes on from."""
    assert spec.resumed is not None
    with ObjectReader(repo) as objects:
        return _last_mark(objects, spec.resumed, spec.baseline)[0]


def find_beginning(place: Project, spec: ExperimentSpec) -> Beginning | None:
    """Returns what a run goes on from; None where it begins anew."""
    if spec.resumed is None:
        return None
    assert place.repo is not None
    with ObjectReader(place.repo) as objects:
        return read_beginning(place, objects, spec.resumed, spec.baseline)


def with_going_on(place: Project, bench: Workbench, begun: Beginning | None, options: ExecuteOptions) -> Workbench:
    """Returns a workbench that knows which stages go on from a checkpoint, or start over."""
    if begun is None:
        return replace(bench, going_on=GoingOn(starts_over=True)) if options.starts_over else bench
    assert place.repo is not None
    repo = place.repo

    def put_in_place(stage: Stage) -> None:
        for out in stage.outs:
            _put_in_place(place, repo, bench, begun, stage, out)

    numbers = dict.fromkeys(begun.entries, begun.number)
    return replace(bench, going_on=GoingOn(numbers=numbers, ended=begun.ended, put_in_place=put_in_place))


def _put_in_place(place: Project, repo: GitRepo, bench: Workbench, begun: Beginning, stage: Stage, out: Output) -> None:
    item = next((each for each in begun.entries[stage.address].outs if each.written == out.written), None)
    if item is None or item.md5 is None or out.path is None or is_at_url(stage, out):
        return  # the checkpoint has none
    disk = place_on_disk(bench.root, stage, out)
    if not out.cache:
        _write_tree(repo, begun.tree, in_git(place, out.path))
        return
    wanted = ObjectId(item.md5)
    if not bench.cache.has_all(wanted) and (bench.fetch is None or wanted not in bench.fetch((wanted,))):
        raise MissingDataError(
            f"'{stage.address}' cannot go on from checkpoint {begun.number}: its '{out.written}' is not in the cache",
            hint="--pull fetches it from the data remote",
        )
    put_back(disk, wanted, bench, rel=out.path, is_executable=item.is_executable, as_copy=True)
    unprotect(disk)


def _write_tree(repo: GitRepo, tree: TreeId, path: GitPath) -> None:
    changes = tuple(c for c in diff_trees(repo, empty_tree(repo), tree) if is_same_or_inside(c.path, path))
    apply_tree_checkout(repo, TreeCheckout(changes=changes, blocked=(), submodules=()), overwrite=True)


def _entries(pipelines: Pipelines, mark: CheckpointMark | None) -> Iterator[tuple[str, LockedStage]]:
    """Yields the stages that had not ended; where all have, those that the last checkpoint is of."""
    asked = frozenset(mark.stage.split(", ")) if mark is not None else frozenset()
    locked = [(stage, pipelines.locks[stage.address]) for stage in pipelines.stages if stage.address in pipelines.locks]
    open_ = {stage.address: entry for stage, entry in locked if checkpoint_of(entry.command) is not None}
    if open_:
        yield from open_.items()
        return
    for stage, entry in locked:
        if stage.address in asked or (mark is None and any(stays(out) for out in stage.outs)):
            yield stage.address, entry


def _last_mark(objects: ObjectReader, commit: CommitId, baseline: CommitId) -> tuple[int, CheckpointMark | None]:
    """Returns the number of a commit of a chain, and what it, or the last before it that is one, says of being a checkpoint."""
    n = 0
    while commit != baseline:
        found = objects.commit(commit)
        if (mark := mark_of(found)) is not None:
            return mark.number, mark
        n += 1
        if not found.parents:
            break
        commit = found.parents[0]
    return n, None
