"""What dvc.lock and .dvc files record of outputs in the cache: the path, the object, the stage; pure."""

from collections.abc import Iterable, Iterator, Mapping

from offbranch.base.paths import RepoPath, is_same_or_inside
from offbranch.base.records import record
from offbranch.pipeline.stage import LockedItem, LockedStage, Output, Pipelines, Stage
from offbranch.storage.objects import ObjectId


@record
class RecordedOutput:
    """A cached output of which content is recorded.

    Attributes:
        path: Where it belongs in the project.
        id: The object it shall hold.
        item: The whole record.
        parts: Paths inside it that the user named; empty when all of it is meant.
    """

    stage: Stage
    out: Output
    path: RepoPath
    id: ObjectId
    item: LockedItem
    parts: tuple[RepoPath, ...] = ()

    @property
    def is_legacy(self) -> bool:
        """Whether DVC 2 recorded it: then its id may be the hash of text with its line ends made one kind."""
        return self.item.hash_name is None

    @property
    def shown(self) -> str:
        """The path, a directory with `/` at its end."""
        return f"{self.path}/" if self.id.endswith(".dir") else self.path


def recorded_outputs(
    stages: Iterable[Stage],
    locks: Mapping[str, LockedStage],
    *,
    named: Mapping[str, tuple[RepoPath, ...]] | None = None,
) -> Iterator[RecordedOutput]:
    """Yields the cached outputs of some stages with what is recorded of them, those without a record left out.

    Args:
        stages: Whose outputs.
        locks: Address of a stage -> what is recorded of it.
        named: Address -> outputs, or paths inside them, that are meant; all outputs of a stage that is not in it.
    """
    for stage in stages:
        locked = locks.get(stage.address)
        items = {item.written: item for item in locked.outs} if locked else {}
        wanted = named.get(stage.address) if named else None
        for out in stage.outs:
            item = items.get(out.written)
            if not out.cache or out.path is None or item is None or item.md5 is None:
                continue
            parts: tuple[RepoPath, ...] = ()
            if wanted is not None:
                path = out.path
                parts = tuple(each for each in wanted if is_same_or_inside(each, path))
                if not parts:
                    continue
                if path in parts:
                    parts = ()
            yield RecordedOutput(stage=stage, out=out, path=out.path, id=ObjectId(item.md5), item=item, parts=parts)


def all_recorded(pipelines: Pipelines) -> dict[RepoPath, RecordedOutput]:
    """Returns every cached output of a project that has a record, by path."""
    return {one.path: one for one in recorded_outputs(pipelines.stages, pipelines.locks)}
