"""What a pipeline is made of, after everything written in dvc.yaml and .dvc files has been resolved.

Frozen records only. `written` is the text as the user's file has it (after `${}`), because dvc.lock repeats it; `path`
is where it leads inside the project, None for an external path (absolute or a url).
"""

import posixpath
from collections.abc import Mapping
from enum import Enum
from typing import Any

from offbranch.base.paths import RepoPath, is_external
from offbranch.base.records import field, record


class OutputKind(Enum):
    OUT = "outs"
    METRIC = "metrics"
    PLOT = "plots"


# What an entry of dvc.lock must have to name one version, by the type of dataset (DVC 3.67).
_VERSION_OF_DATASET: Mapping[Any, tuple[str, ...]] = {
    "dvc": ("rev_lock",),
    "dc": ("version", "created_at"),
    "url": ("meta",),
}


@record
class Dataset:
    """One entry of `datasets:`, which a stage names as `ds://<name>` in its dependencies.

    Attributes:
        fields: As written, after `${}`: `name`, `type` and what says where it is (`url`, `path`, `rev`).
        locked: Its entry in the dvc.lock beside that dvc.yaml, which also says which version; None if there is none.
        file: The dvc.yaml it comes from.
    """

    name: str
    fields: Mapping[str, Any]
    locked: Mapping[str, Any] | None
    file: RepoPath

    @property
    def is_in_sync(self) -> bool:
        """Whether what is recorded is a version of what is written now."""
        needed = _VERSION_OF_DATASET.get(self.fields.get("type"))
        if self.locked is None or needed is None or any(key not in self.locked for key in needed):
            return False
        return all(self.fields.get(key) == self.locked.get(key) for key in ("name", "type", "url", "path", "rev"))


@record
class Dependency:
    """A file, directory or dataset that a stage reads.

    Attributes:
        written: The text in the file, relative to the stage's directory.
        path: Where it leads in the project; None if it is external.
        source: Where an imported .dvc dependency comes from (`repo`, `db`, `fs_config`, ...), as written.
        dataset: What `ds://<name>` names; None for all others, and for a name that nobody defines.
    """

    written: str
    path: RepoPath | None
    source: Mapping[str, Any] | None = None
    dataset: Dataset | None = None


@record
class ParamsDependency:
    """Parameters of one file that a stage reads.

    Attributes:
        written: The file as written (`params.yaml` when the stage names bare keys).
        path: Where it leads in the project; None if it is external.
        keys: Dotted keys in the order written; empty means the whole file.
    """

    written: str
    path: RepoPath | None
    keys: tuple[str, ...]


@record
class Output:
    """A file or directory that a stage writes.

    Attributes:
        written: The text in the file, relative to the stage's directory.
        path: Where it leads in the project; None if it is external.
        cache: Kept in the cache and ignored by Git, or (False) left to Git.
        persist: Not removed before the stage runs.
        push: Uploaded by `ob push`.
        remote: The data remote it goes to, None for the default one.
        plot: Plot options (`template`, `x`, `y`, `x_label`, `y_label`, `title`, `header`); several for a list of them.
        annotations: `desc`, `type`, `labels`, `meta` as written.
    """

    written: str
    path: RepoPath | None
    kind: OutputKind = OutputKind.OUT
    cache: bool = True
    persist: bool = False
    push: bool = True
    checkpoint: bool = False
    remote: str | None = None
    plot: tuple[Mapping[str, Any], ...] = ()
    annotations: Mapping[str, Any] = field(default_factory=dict)


@record
class Stage:
    """One step of a pipeline, or one .dvc file (then `name` is None and it has no command).

    Attributes:
        name: Name in dvc.yaml, generated ones with `@`; None for a .dvc file.
        file: The dvc.yaml or .dvc file that defines it.
        command: What is run, as dvc.lock records it: one string, or a list of strings; None for data.
        wdir: The directory that `written` paths are relative to, and where the command runs.
    """

    name: str | None
    file: RepoPath
    wdir: RepoPath
    command: str | tuple[str, ...] | None = None
    deps: tuple[Dependency, ...] = ()
    params: tuple[ParamsDependency, ...] = ()
    outs: tuple[Output, ...] = ()
    frozen: bool = False
    always_changed: bool = False
    desc: str | None = None
    meta: Any = None

    @property
    def address(self) -> str:
        """How commands and messages name it: `train`, `sub/dvc.yaml:train`, or `data.dvc`."""
        if self.name is None:
            return self.file
        return self.name if self.file == "dvc.yaml" else f"{self.file}:{self.name}"

    @property
    def shell_calls(self) -> tuple[str, ...]:
        """The commands one by one: each list item is one, and each line of a multi-line string is one."""
        if self.command is None:
            return ()
        if isinstance(self.command, tuple):
            return self.command
        return tuple(line for line in self.command.splitlines() if line.strip())


@record
class LockedItem:
    """A dependency or output as dvc.lock or a .dvc file records it.

    Attributes:
        written: The path text.
        md5: Hash of the content, with `.dir` for a directory; None if not recorded (or another kind of hash).
        hash_name: `md5`, or None for an entry of DVC 2.x, whose md5 is the legacy dos2unix one.
        n_files: Number of files, for a directory.
        extra: Every other key as found (`etag`, `version_id`, `files`, `cloud`, ...), kept on rewriting.
    """

    written: str
    md5: str | None = None
    hash_name: str | None = "md5"
    size: int | None = None
    n_files: int | None = None
    is_executable: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@record
class LockedStage:
    """What a stage was when it last ran: one entry of dvc.lock, or the content of a .dvc file.

    Attributes:
        params: File as written -> dotted key -> value.
    """

    command: str | tuple[str, ...] | None = None
    deps: tuple[LockedItem, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outs: tuple[LockedItem, ...] = ()


@record
class PlotDefinition:
    """One top-level entry of `plots:`.

    Attributes:
        id: The path or free name it is listed under.
        options: As written; empty when it is only a path.
        file: The dvc.yaml it comes from.
    """

    id: str
    options: Mapping[str, Any]
    file: RepoPath


@record
class Pipelines:
    """Everything that all dvc.yaml and .dvc files of a project say, resolved.

    Attributes:
        stages: In file order, root directory first.
        locks: Address of a stage -> what dvc.lock or the .dvc file records of it.
        top_params: Parameter files named at the top level, or used by templates, or by any stage.
        top_metrics: Metric files or directories named at the top level.
        top_plots: Plot definitions of the top level.
        artifacts: As written, by name.
        datasets: By name.
        template_params: Of `top_params`, those that only templates read, with the dotted keys that they read.
        files: Every dvc.yaml and .dvc file found, also the broken ones.
        broken: Files or stages that could not be resolved, with the error of each; the rest is usable.
    """

    stages: tuple[Stage, ...]
    locks: Mapping[str, LockedStage]
    top_params: tuple[RepoPath, ...] = ()
    top_metrics: tuple[RepoPath, ...] = ()
    top_plots: tuple[PlotDefinition, ...] = ()
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    template_params: Mapping[RepoPath, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[RepoPath, ...] = ()
    broken: Mapping[str, Exception] = field(default_factory=dict)


DATASET_PREFIX = "ds://"


def item_key(stage: Stage, item: Dependency | Output | ParamsDependency) -> str:
    """Returns under which key an item is kept: its path in the project; outside of it, the path seen from the root."""
    if item.path is not None:
        return item.path
    if isinstance(item, Dependency) and item.source and isinstance(repo := item.source.get("repo"), Mapping):
        return f"repo://{repo.get('url')}/{item.written}"  # a path there is none here
    return item.written if is_external(item.written) else posixpath.normpath(f"{stage.wdir}/{item.written}".lstrip("/"))
