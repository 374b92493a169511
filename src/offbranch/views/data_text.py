"""`ob data status` and `ob diff` as text, Markdown and the JSON of DVC 3.67; pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from offbranch.experiments.data_diff import DataChange, DataDiff
from offbranch.storage.objects import ObjectId
from offbranch.views.markdown import grid

_SHORT = 8  # digits of a hash
Missing = Iterable[tuple[str, ObjectId]]


def changes_to_json(diff: DataDiff) -> dict[str, Any]:
    """Returns one group of `data status --json`, without what is empty."""
    found: dict[str, Any] = {
        "modified": [change.path for change in diff.modified],
        "added": [change.path for change in diff.added],
        "renamed": [{"old": change.old_path, "new": change.path} for change in diff.renamed],
        "deleted": [change.path for change in diff.deleted],
        "unknown": [change.path for change in diff.unknown],
    }
    return {word: paths for word, paths in found.items() if paths}


def change_lines(diff: DataDiff) -> Iterator[tuple[str, str]]:
    """Yields (word, path) of every change, as `data status` shows them."""
    for word, changes in (("modified", diff.modified), ("added", diff.added)):
        yield from ((word, change.path) for change in changes)
    yield from (("renamed", _moved(change)) for change in diff.renamed)
    for word, changes in (("deleted", diff.deleted), ("unknown", diff.unknown)):
        yield from ((word, change.path) for change in changes)


def diff_to_json(
    diff: DataDiff, missing: Missing | None, *, show_hash: bool, hide_missing: bool = False
) -> dict[str, Any]:
    """Returns `diff --json`.

    Args:
        diff: What differs.
        missing: What of the old side is not in the cache; None to leave that key out.
        show_hash: Each entry has its hash.
        hide_missing: Leave out that key, too; whatever is missing, the others are there then.
    """
    absent = None if missing is None else [_entry(path, id, show_hash) for path, id in missing]
    if diff.is_empty and not absent:
        return {}
    found: dict[str, Any] = {
        "added": [_entry(change.path, change.new, show_hash) for change in diff.added],
        "deleted": [_entry(change.path, change.old, show_hash) for change in diff.deleted],
        "modified": [
            _entry(change.path, {"old": change.old, "new": change.new}, show_hash) for change in diff.modified
        ],
        "renamed": [
            _entry({"old": change.old_path, "new": change.path}, change.new, show_hash) for change in diff.renamed
        ],
    }
    return found if absent is None or hide_missing else {**found, "not in cache": absent}


def render_data_diff(diff: DataDiff, missing: Missing | None, *, show_hash: bool) -> str:
    """Returns groups of paths and how many files each has; empty when nothing differs."""
    groups = {word: list(rows) for word, rows in _groups(diff, missing).items()}
    parts: list[str] = []
    for word in ("added", "deleted", "renamed", "modified", "not in cache"):
        rows = groups[word]
        if rows:
            width = max(len(hash) for hash, _ in rows)
            lines = [f"    {f'{hash:<{width}}  ' if show_hash else ''}{path}" for hash, path in rows]
            parts.append("\n".join((f"{word.capitalize()}:", *lines)) + "\n")
    counts = {word: sum(not path.endswith("/") for _, path in rows) for word, rows in groups.items()}
    told = [f"{count} {word}" for word, count in counts.items() if count]
    if told:
        parts.append(f"files summary: {', '.join(told)}\n")
    return "\n".join(parts)


def render_data_diff_markdown(diff: DataDiff, missing: Missing | None, *, show_hash: bool) -> str:
    """Returns the same as one Markdown table."""
    rows = [
        [word, hash, path] if show_hash else [word, path]
        for word, group in _groups(diff, missing).items()
        for hash, path in group
    ]
    return grid(["Status", "Hash", "Path"] if show_hash else ["Status", "Path"], rows)


def _groups(diff: DataDiff, missing: Missing | None) -> Mapping[str, Iterable[tuple[str, str]]]:
    return {
        "added": [(_short(change.new), change.path) for change in diff.added],
        "deleted": [(_short(change.old), change.path) for change in diff.deleted],
        "renamed": [(_short(change.new), _moved(change)) for change in diff.renamed],
        "modified": [(f"{_short(change.old)}..{_short(change.new)}", change.path) for change in diff.modified],
        "not in cache": [(_short(id), path) for path, id in missing or ()],
    }


def _entry(path: Any, hash: Any, show_hash: bool) -> dict[str, Any]:
    return {"path": path, "hash": hash} if show_hash else {"path": path}


def _short(id: ObjectId | None) -> str:
    return (id or "")[:_SHORT]


def _moved(change: DataChange) -> str:
    return f"{change.old_path} -> {change.path}"
