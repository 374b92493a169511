"""The parameters or metrics of one revision as one nested value, chosen by file or by stage."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from offbranch.base.errors import MissingDataError, NotFoundError, OffbranchError
from offbranch.base.paths import ROOT, RepoPath
from offbranch.base.records import record, replace
from offbranch.experiments.revision import read_revision
from offbranch.experiments.revision_files import Entry, RevisionFiles
from offbranch.experiments.wanted import Wanted, wanted_of
from offbranch.pipeline.stage import Pipelines
from offbranch.pipeline.targets import resolve_targets
from offbranch.storage.local import LocalCache


@record
class ParamChoice:
    """Which parameters.

    Attributes:
        targets: These files, whole.
        stages: What these stages depend on.
        deps: Without targets and stages: only what some stage depends on.
        cwd: Directory of the project that names of stages are relative to.
    """

    targets: tuple[RepoPath, ...] = ()
    stages: tuple[str, ...] = ()
    deps: bool = False
    cwd: RepoPath = ROOT


def param_entries(
    pipelines: Pipelines, files: RevisionFiles, cache: LocalCache, choice: ParamChoice
) -> Mapping[str, Entry]:
    """Returns the parameter files that are chosen, or why one cannot be read.

    Raises:
        NotFoundError: There is no such stage.
        OffbranchError: A pipeline file is malformed.
    """
    wanted = wanted_of(pipelines)
    if choice.targets or choice.stages:
        named = resolve_targets(pipelines, choice.stages, cwd=choice.cwd) if choice.stages else ()
        used = wanted_of(replace(pipelines, stages=tuple(target.stage for target in named))).param_deps
        chosen: dict[RepoPath, tuple[str, ...] | None] = {**dict.fromkeys(choice.targets)}
        chosen |= {path: keys for path, keys in used.items() if path not in chosen}
        only = _only(wanted, params=chosen)
    else:
        only = _only(wanted, params=wanted.param_deps if choice.deps else wanted.params)
        only = only if choice.deps else replace(only, template_params=wanted.template_params)
    return read_revision(only, files, cache, param_deps=False).params


def metric_entries(
    pipelines: Pipelines, files: RevisionFiles, cache: LocalCache, targets: tuple[RepoPath, ...]
) -> Mapping[str, Entry]:
    """Returns the metric files of a revision, or these, or why one cannot be read.

    Raises:
        OffbranchError: A pipeline or lock file is malformed.
    """
    wanted = wanted_of(pipelines)
    only = replace(_only(wanted, params={}), metrics=targets or wanted.metrics)
    return read_revision(only, files, cache, param_deps=False).metrics


def merged(files: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of several files as one map; a top-level key that several files have is `file:key` there.

    What is no map, such as a number alone in its file, has the name of the file.
    """
    maps = {path: data if isinstance(data, Mapping) else {path: data} for path, data in files.items()}
    counts = Counter(str(key) for data in maps.values() for key in data)
    return {
        (f"{path}:{key}" if counts[str(key)] > 1 else str(key)): value
        for path, data in maps.items()
        for key, value in data.items()
    }


def value_of(path: str, entry: Entry) -> Any:
    """Returns the data of an entry.

    Raises:
        NotFoundError: The file is not there.
        MissingDataError: It is data that is not in the cache.
        OffbranchError: It cannot be read.
    """
    error = entry.get("error")
    if error is None:
        return entry["data"]
    if error["type"] == FileNotFoundError.__name__:
        raise NotFoundError(f"there is no '{path}'", hint="'ob ls' lists the files, 'ob repro' makes metrics")
    if error["type"] == MissingDataError.__name__:
        raise MissingDataError(f"the content of '{path}' is not here: {error['msg']}", hint="ob pull brings the data")
    raise OffbranchError(error["msg"], hint=f"mend '{path}', or leave it out by naming the other files")


def is_absent(entry: Entry) -> bool:
    """Tells whether an entry could not be read because its content is not here."""
    error = entry.get("error")
    return error is not None and error["type"] in (FileNotFoundError.__name__, MissingDataError.__name__)


def only_files(paths: Iterable[RepoPath | None]) -> tuple[RepoPath, ...]:
    """Returns the paths that lie in the project, each once.

    Raises:
        NotFoundError: One leads out of it.
    """
    found = tuple(paths)
    if any(path is None for path in found):
        raise NotFoundError("a target is outside of the project", hint="give paths below its top")
    return tuple(dict.fromkeys(path for path in found if path is not None))


def _only(wanted: Wanted, *, params: Mapping[RepoPath, tuple[str, ...] | None]) -> Wanted:
    return replace(wanted, params=params, template_params={}, metrics=(), deps=(), outs=())
