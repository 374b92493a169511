"""The parameters, metrics, dependencies and outputs of one revision, as `exp show`, `exp diff` and the like show them.

`read_revision` works on any `RevisionFiles`: a directory, or a commit. A file that cannot be read becomes an error entry;
a pipeline that cannot be understood raises.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.files import DirectoryReader
from offbranch.base.paths import PARAMS_FILE, RepoPath
from offbranch.base.records import record
from offbranch.experiments.revision_files import DirectoryFiles, Entry, RevisionFiles, error_entry
from offbranch.experiments.revision_metrics import find_locked, locks_of, metric_sources, read_metrics
from offbranch.experiments.wanted import Item, Wanted, wanted_of
from offbranch.params.lookup import MISSING, look_up
from offbranch.pipeline.load import Ignores, load_pipelines
from offbranch.pipeline.stage import LockedItem
from offbranch.storage.local import LocalCache


@record
class RevisionData:
    """What one revision holds; the values are shaped as JSON prints them.

    Attributes:
        params: File -> `{"data": ...}` or `{"error": {"type", "msg"}}`.
        metrics: The same, without lists and empty values.
        deps: Path -> `{"hash", "size", "nfiles"}`.
        outs: Path -> the same with `use_cache` and `is_data_source`.
    """

    params: Mapping[str, Entry]
    metrics: Mapping[str, Entry]
    deps: Mapping[str, Entry]
    outs: Mapping[str, Entry]


def read_directory(reader: DirectoryReader, *, ignores: Ignores, cache: LocalCache, param_deps: bool) -> RevisionData:
    """Returns what the files of a directory hold now.

    Raises:
        OffbranchError: A pipeline file is malformed.
    """
    wanted = wanted_of(load_pipelines(reader, ignores=ignores, root=reader.root))
    return read_revision(wanted, DirectoryFiles(reader, cache), cache, param_deps=param_deps)


def read_revision(wanted: Wanted, files: RevisionFiles, cache: LocalCache, *, param_deps: bool) -> RevisionData:
    """Returns what a revision holds of what is wanted of it.

    Args:
        wanted: What its pipelines name.
        files: Its files.
        cache: Where cached metrics are.
        param_deps: Only parameters that a stage depends on.

    Raises:
        OffbranchError: A lock file is malformed.
    """
    locks = locks_of(wanted, files)
    return RevisionData(
        params=read_params(wanted, files, param_deps=param_deps),
        metrics=read_metrics(metric_sources(wanted, files, locks, cache), files),
        deps={item.shown: _dep_entry(find_locked(locks, item, is_out=False)) for item in wanted.deps},
        outs={item.shown: _out_entry(find_locked(locks, item, is_out=True), item) for item in wanted.outs},
    )


def read_params(wanted: Wanted, files: RevisionFiles, *, param_deps: bool) -> dict[str, Entry]:
    """Returns the entries of parameter files.

    Args:
        param_deps: Only parameters that a stage depends on.
    """
    return {
        **dict(_params(wanted.param_deps if param_deps else wanted.params, files)),
        **dict(_template_params(wanted.template_params, files)),
    }


def data_to_json(data: RevisionData, *, rev: str, timestamp: str | None) -> dict[str, Any]:
    """Returns the DATA structure of `exp show --json`."""
    return {
        "rev": rev,
        "timestamp": timestamp,
        "params": data.params,
        "metrics": data.metrics,
        "deps": data.deps,
        "outs": data.outs,
        "meta": {},
    }


def _params(
    wanted: Mapping[RepoPath, tuple[str, ...] | None], files: RevisionFiles
) -> Iterator[tuple[RepoPath, Entry]]:
    for path, keys in wanted.items():
        try:
            data = files.params(path)
            yield path, {"data": data if keys is None else _part(data, keys)}
        except FileNotFoundError as error:
            if keys is not None or path != PARAMS_FILE:
                yield path, error_entry(error)
        except (OffbranchError, OSError) as error:
            yield path, error_entry(error)


def _template_params(
    wanted: Mapping[RepoPath, tuple[str, ...]], files: RevisionFiles
) -> Iterator[tuple[RepoPath, Entry]]:
    """Yields what templates read of files that no stage depends on: flat, by dotted key, as DVC shows it."""
    for path, keys in wanted.items():
        try:
            data = files.params(path)
            values = {key: look_up(data, key) for key in keys}
            yield path, {"data": {key: value for key, value in values.items() if value is not MISSING}}
        except (OffbranchError, OSError) as error:
            yield path, error_entry(error)


def _part(data: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    """Returns the maps that lead to some dotted keys; a key that is not there is left out."""
    part: dict[str, Any] = {}
    for key in keys:
        value = look_up(data, key)
        if value is MISSING:
            continue
        place = part
        *above, last = [key] if key in data else key.split(".")
        for name in above:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                break
        else:
            place[last] = value
    return part


def _dep_entry(locked: LockedItem | None) -> Entry:
    if locked is None:
        return {"hash": None, "size": None, "nfiles": None}
    return {"hash": locked.md5, "size": locked.size, "nfiles": locked.n_files}


def _out_entry(locked: LockedItem | None, item: Item) -> Entry:
    return {**_dep_entry(locked), "use_cache": item.use_cache, "is_data_source": item.is_data_source}
