"""What has changed about a stage, in the words and the structure that DVC prints; pure."""

import posixpath
from collections.abc import Iterator, Sequence
from typing import Any

from offbranch.api.stages import StageReport
from offbranch.base.paths import PIPELINE_FILE, AbsPath, RepoPath, is_external, relative_to
from offbranch.pipeline.stage import DATASET_PREFIX, Stage
from offbranch.pipeline.status import Change, ChangeKind, StageStatus


def shown_address(stage: Stage, cwd: RepoPath) -> str:
    """Returns how a stage is called in a directory: by its name alone in the one of its dvc.yaml."""
    file = posixpath.relpath(stage.file, cwd or ".")
    if stage.name is None:
        return file
    return stage.name if file == PIPELINE_FILE else f"{file}:{stage.name}"


def status_data(report: StageReport) -> list[Any]:
    """Returns the changes of one stage as `status --json` has them, paths as seen from the user's directory."""
    stage, status = report.stage, report.status
    found: list[Any] = []
    if status.deps:
        changes = _deps(stage, status).items()
        found.append({"changed deps": {_shown_source(report, item, change): change for item, change in changes}})
    if status.outs:
        found.append({"changed outs": {_shown(report, one.item): _word(one) for one in status.outs}})
    if status.is_edited:
        found.append("changed checksum")
    if status.always:
        found.append("always changed")
    if status.command:
        found.append("changed command")
    # DVC has no word for a stage without dependencies that never ran; it must not look up to date.
    return found or (["changed command"] if status.never_ran else [])


def status_lines(data: Sequence[Any]) -> Iterator[str]:
    """Yields the same as indented text."""
    for entry in data:
        if isinstance(entry, str):
            yield f"\t{entry}"
            continue
        for head, items in entry.items():
            yield f"\t{head}:"
            yield from _items(items, "\t\t")


def _shown(report: StageReport, written: str) -> str:
    if is_external(written):
        return written
    path = posixpath.normpath(posixpath.join(report.stage.wdir, written))
    place = AbsPath(posixpath.normpath(posixpath.join(report.root, path)))
    inside = relative_to(place, report.root)
    return place if inside is None else posixpath.relpath(inside or ".", report.cwd or ".")


def _shown_source(report: StageReport, written: str, change: object) -> str:
    return written if change == ChangeKind.UPDATE.value else _shown(report, written)


def _deps(stage: Stage, status: StageStatus) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for change in status.deps:
        if change.key is None:
            found[change.item] = _word(change)
        else:
            found.setdefault(change.item, {})[change.key] = change.kind.value
    for group in stage.params:
        changes = found.get(group.written)
        if not isinstance(changes, dict) or set(changes.values()) != {ChangeKind.NEW.value}:
            continue
        if status.never_ran or len(changes) == len(group.keys):
            found[group.written] = ChangeKind.NEW.value
    return found


def _word(change: Change) -> str:
    """Returns DVC's word for an item: a path that was not recorded before counts as modified, a dataset as new."""
    is_new_path = change.kind is ChangeKind.NEW and not change.item.startswith(DATASET_PREFIX)
    return ChangeKind.MODIFIED.value if is_new_path else change.kind.value


def _items(items: dict[str, Any], indent: str) -> Iterator[str]:
    for name, value in items.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _items(value, indent + "\t")
        else:
            yield f"{indent}{value + ':':<20}{name}"
