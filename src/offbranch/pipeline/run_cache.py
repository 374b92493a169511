"""The run-cache: what a stage made the last time it ran with the same command, dependencies and parameters.

Files `<cache>/runs/<k2>/<key>/<value>` in the format and with the keys of DVC (docs/formats/run-cache.md), so that both
tools use each other's. The key ignores every map key called `size` or `nfiles`, parameters of that name included; so a
found entry is only taken when its parameters really are equal.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from offbranch.base.errors import BadInputError, CorruptObjectError
from offbranch.base.files import atomic_write, remove_file
from offbranch.base.hashes import sha256
from offbranch.base.paths import AbsPath
from offbranch.pipeline.lockfile import canonical_json, entry_mapping, parse_entry, render_entry_document
from offbranch.pipeline.stage import LockedStage, Output, OutputKind, Stage
from offbranch.pipeline.status import same_value
from offbranch.storage.objects import ObjectId

_DROPPED = ("size", "nfiles")


def is_usable(stage: Stage) -> bool:
    """Tells whether results of this stage may be restored from the run-cache."""
    if not (stage.deps or stage.params) or not stage.outs or stage.always_changed:
        return False
    if any("://" in dependency.written for dependency in stage.deps):
        return False
    return not any(out.persist or out.path is None or out.checkpoint for out in stage.outs)


def is_recordable(stage: Stage) -> bool:
    """Tells whether results of this stage may be recorded: a plain output that Git keeps must not be."""
    return is_usable(stage) and all(out.cache or out.kind is not OutputKind.OUT for out in stage.outs)


def outputs_to_keep(stage: Stage) -> tuple[Output, ...]:
    """Returns the outputs that Git keeps, whose content must be in the cache too before an entry is recorded."""
    return tuple(out for out in stage.outs if not out.cache)


def run_key(entry: LockedStage, out_paths: tuple[str, ...]) -> str:
    """Returns the key of a run: sha256 over the entry with its outputs replaced by their paths."""
    mapping = entry_mapping(entry)
    mapping["outs"] = list(out_paths)
    return _digest(mapping)


def run_value(entry: LockedStage) -> str:
    """Returns the name of a recorded result: sha256 over the whole entry."""
    return _digest(entry_mapping(entry))


def record_run(cache_root: AbsPath, entry: LockedStage) -> None:
    """Writes the result of a run; does nothing if the same is there."""
    path = os.path.join(
        _directory(cache_root, run_key(entry, tuple(item.written for item in entry.outs))), run_value(entry)
    )
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        atomic_write(AbsPath(path), render_entry_document(entry).encode())


def find_run(
    cache_root: AbsPath,
    wanted: LockedStage,
    out_paths: tuple[str, ...],
    *,
    is_cached: Callable[[ObjectId], bool],
    on_corrupt: Callable[[str], None],
) -> LockedStage | None:
    """Returns the newest recorded result for a command, dependencies and parameters whose outputs are all cached.

    An entry that cannot be read is removed and reported.
    """
    for path in _newest_first(_directory(cache_root, run_key(wanted, out_paths))):
        try:
            with open(path, encoding="utf-8") as file:
                entry = parse_entry(file.read(), path)
        except (BadInputError, UnicodeDecodeError):
            remove_file(AbsPath(path))
            on_corrupt(path)
            continue
        if not _has_same_params(entry.params, wanted.params):
            continue
        if tuple(sorted(item.written for item in entry.outs)) != tuple(sorted(out_paths)):
            continue
        if all(item.md5 and is_cached(ObjectId(item.md5)) for item in entry.outs):
            return entry
    return None


def is_entry_name(key: str) -> bool:
    """Tells whether a path below the cache is that of an entry: `runs/<2>/<64 digits>/<64 digits>`."""
    parts = key.split("/")
    return len(parts) == 4 and parts[0] == "runs" and parts[1] == parts[2][:2] and all(map(_is_value, parts[2:]))


def entry_at(key: str, content: bytes) -> LockedStage:
    """Returns the entry that a file of the run-cache holds.

    Raises:
        CorruptObjectError: It is not the entry that its name says.
    """
    try:
        entry = parse_entry(content.decode(), key)
    except (BadInputError, UnicodeDecodeError) as error:
        raise CorruptObjectError(f"'{key}' of the run-cache cannot be read") from error
    if run_value(entry) != key.rpartition("/")[2]:
        raise CorruptObjectError(f"'{key}' of the run-cache is not the entry that its name says")
    return entry


def _directory(cache_root: AbsPath, key: str) -> str:
    return os.path.join(cache_root, "runs", key[:2], key)


def _newest_first(directory: str) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            found = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if _is_value(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return
    for _, path in sorted(found, reverse=True):
        yield path


def _is_value(name: str) -> bool:
    return len(name) == 64 and not name.strip("0123456789abcdef")


def _has_same_params(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return same_value(a, b)


def _digest(mapping: Mapping[str, Any]) -> str:
    return sha256(canonical_json(_without_sizes(mapping)).encode())


def _without_sizes(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_sizes(child) for key, child in value.items() if key not in _DROPPED}
    if isinstance(value, (list, tuple)):
        return [_without_sizes(child) for child in value]
    return value
