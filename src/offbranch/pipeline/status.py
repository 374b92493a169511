"""What has changed about a stage since it last ran, as records; `reasons.py` puts them into sentences.

Pure: compares a `Stage`, what dvc.lock recorded of it, and `Facts`. Content decides, never time stamps or sizes.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from offbranch.base.records import record
from offbranch.params.lookup import MISSING, look_up
from offbranch.pipeline.facts import Facts, OutOfSync, Recorded, Unknown
from offbranch.pipeline.stage import LockedItem, LockedStage, Output, ParamsDependency, Stage, item_key
from offbranch.pipeline.unfinished import unfinished_at
from offbranch.storage.objects import Content, ObjectId, Tag


class ChangeKind(Enum):
    """The words that `status` prints for an item."""

    MODIFIED = "modified"
    DELETED = "deleted"
    NEW = "new"
    NOT_IN_CACHE = "not in cache"
    PENDING = "pending"
    OUT_OF_SYNC = "not in sync"
    UPDATE = "update available"


@record
class Change:
    """One item that differs from what was recorded.

    Attributes:
        kind: How it differs; PENDING means an earlier step will make it.
        item: Path as written, or the parameter file.
        key: Dotted parameter key; None for a file.
        old: Recorded parameter value.
        new: Present parameter value.
        maker: For PENDING, the stage that makes it.
    """

    kind: ChangeKind
    item: str
    key: str | None = None
    old: Any = None
    new: Any = None
    maker: str | None = None


@record
class StageStatus:
    """Everything that differs about one stage. Empty everywhere means up to date.

    Attributes:
        checkpoint: The checkpoint at which its recorded run was, which had not ended; then `command` is set as well.
        is_edited: A .dvc file of an import is not what its own checksum says, or was never carried out.
    """

    never_ran: bool = False
    command: bool = False
    checkpoint: int | None = None
    always: bool = False
    deps: tuple[Change, ...] = ()
    outs: tuple[Change, ...] = ()
    is_edited: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether anything differs."""
        return bool(self.never_ran or self.command or self.always or self.deps or self.outs or self.is_edited)


def examine(stage: Stage, locked: LockedStage | None, facts: Facts) -> StageStatus:
    """Compares a stage with what was recorded of it."""
    recorded = locked or LockedStage()
    outs = tuple(_changed_outs(stage, recorded, facts))
    if stage.command is None:
        return StageStatus(outs=outs)
    if stage.frozen:
        return StageStatus(never_ran=locked is None, outs=outs)
    deps = (*_changed_deps(stage, recorded, facts), *_changed_params(stage, recorded, facts))
    return StageStatus(
        never_ran=locked is None,
        command=locked is not None and stage.command != locked.command,
        checkpoint=None if locked is None else unfinished_at(stage.command, locked.command),
        always=stage.always_changed
        or any(out.checkpoint for out in stage.outs)
        or not (stage.deps or stage.params or stage.outs),
        deps=deps,
        outs=outs,
    )


def is_same_content(locked: LockedItem, content: Content, facts: Facts, key: str) -> bool:
    """Tells whether present content is the recorded one, also for hashes recorded by DVC 2.x."""
    if locked.md5 == content.id:
        return True
    is_legacy_file = locked.hash_name is None and locked.md5 is not None and content.n_files is None
    return is_legacy_file and facts.legacy_md5(key) == locked.md5


def is_same_tag(locked: LockedItem, tag: Tag) -> bool:
    """Tells whether what a server says of a content now is what was recorded."""
    return locked.md5 == tag.md5 and all(locked.extra.get(key) == value for key, value in tag.extra.items())


def _changed_deps(stage: Stage, locked: LockedStage, facts: Facts) -> Iterator[Change]:
    recorded = {item.written: item for item in locked.deps}
    for dependency in stage.deps:
        key = item_key(stage, dependency)
        content = facts.contents[key]
        was = recorded.get(dependency.written)
        if isinstance(content, Unknown):
            yield Change(kind=ChangeKind.PENDING, item=dependency.written, maker=content.maker)
        elif content is None:
            yield Change(kind=ChangeKind.DELETED, item=dependency.written)
        elif isinstance(content, OutOfSync):
            yield Change(kind=ChangeKind.OUT_OF_SYNC, item=dependency.written)
        elif isinstance(content, Tag):
            if was is None or not is_same_tag(was, content):
                yield Change(kind=ChangeKind.NEW if was is None else ChangeKind.MODIFIED, item=dependency.written)
        elif isinstance(content, Recorded):
            if was is None or was.extra != content.fields:
                kind = ChangeKind.NEW if was is None else ChangeKind.MODIFIED
                yield Change(kind=kind, item=dependency.written)
        elif was is None or was.md5 is None:
            yield Change(kind=ChangeKind.NEW, item=dependency.written)
        elif not is_same_content(was, content, facts, key):
            yield Change(kind=ChangeKind.MODIFIED, item=dependency.written)


def _changed_params(stage: Stage, locked: LockedStage, facts: Facts) -> Iterator[Change]:
    for dependency in stage.params:
        data = facts.params[item_key(stage, dependency)]
        recorded = locked.params.get(dependency.written)
        if data is None:
            yield Change(kind=ChangeKind.DELETED, item=dependency.written)
            continue
        present = param_values(dependency, data)
        before: Mapping[str, Any] = recorded if recorded is not None else {}
        for key in dict.fromkeys((*present, *(before if not dependency.keys else ()))):
            new, old = present.get(key, MISSING), before.get(key, MISSING)
            if new is MISSING:
                yield Change(kind=ChangeKind.DELETED, item=dependency.written, key=key, old=old)
            elif old is MISSING:
                yield Change(kind=ChangeKind.NEW, item=dependency.written, key=key, new=new)
            elif not same_value(old, new):
                yield Change(kind=ChangeKind.MODIFIED, item=dependency.written, key=key, old=old, new=new)


def param_values(dependency: ParamsDependency, data: Any) -> dict[str, Any]:
    """Returns key -> value of the parameters a stage names in one file, MISSING for those that are not there."""
    if not dependency.keys:
        # DVC reads a lock file only if the keys there are texts.
        return {str(key): value for key, value in data.items()} if isinstance(data, Mapping) else {}
    return {key: look_up(data, key) for key in dependency.keys}


def same_value(a: Any, b: Any) -> bool:
    """Compares two parameter values as Python does (1 == 1.0 == True), tuples equal to lists, nan equal to nan."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same_value, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    return bool(a == b) or (a != a and b != b)


def _changed_outs(stage: Stage, locked: LockedStage, facts: Facts) -> Iterator[Change]:
    recorded = {item.written: item for item in locked.outs}
    for output in stage.outs:
        kind = _out_change(stage, output, recorded.get(output.written), facts)
        if kind is not None:
            yield Change(kind=kind, item=output.written)


def _out_change(stage: Stage, output: Output, was: LockedItem | None, facts: Facts) -> ChangeKind | None:
    key = item_key(stage, output)
    content = facts.contents[key]
    if isinstance(content, Unknown):
        return ChangeKind.PENDING
    if isinstance(content, Tag):
        return ChangeKind.NEW if was is None else None if is_same_tag(was, content) else ChangeKind.MODIFIED
    assert content is None or isinstance(content, Content)
    if was is None or was.md5 is None:
        return ChangeKind.NEW if content is not None else ChangeKind.DELETED
    if content is None:
        # Objects of DVC 2.x have a place of their own in the cache, where `is_cached` does not look.
        is_legacy = was.hash_name is None
        missing_for_good = output.cache and not is_legacy and not facts.is_cached(ObjectId(was.md5))
        return ChangeKind.NOT_IN_CACHE if missing_for_good else ChangeKind.DELETED
    if not is_same_content(was, content, facts, key):
        return ChangeKind.MODIFIED
    if output.cache and was.hash_name is not None and not facts.is_cached(ObjectId(was.md5)):
        return ChangeKind.NOT_IN_CACHE
    return None
