"""What the stages at hand would find on disk now: contents of paths and values of parameters.

Gathered once per command by `gather_facts`, then only looked at; the planner works on these records alone, so a plan can
also be made over imagined facts (what would be there after an earlier step).
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from offbranch.base.errors import NotFoundError, OffbranchError
from offbranch.base.files import FileReader
from offbranch.base.paths import AbsPath, RepoPath, is_external, join
from offbranch.base.records import record
from offbranch.params.files import parse_params
from offbranch.pipeline.stage import DATASET_PREFIX, Dependency, Output, Stage, item_key
from offbranch.storage.hashing import hash_text_normalised
from offbranch.storage.ignore import IgnoreRules
from offbranch.storage.objects import Content, ObjectId, Tag
from offbranch.storage.state import StateDb
from offbranch.storage.workspace import observe


@record
class Unknown:
    """Stands for a content that an earlier step will make.

    Attributes:
        maker: Address of the stage that makes it.
    """

    maker: str


@record
class Recorded:
    """Stands for a dependency that is known by a record of its version, not by its content.

    Attributes:
        fields: What dvc.lock says of it instead of a hash, such as `{"dataset": {...}}`.
    """

    fields: Mapping[str, Any]


@record
class OutOfSync:
    """Stands for a dataset of which no version, or one of something else, is recorded."""


Found = Content | Tag | Unknown | Recorded | OutOfSync | None
LookAtUrl = Callable[[str], Content | Tag | None]


@record
class Facts:
    """Attributes:
    contents: What is at each dependency and output, by `item_key`; None where nothing is.
    params: Parsed parameter files by `item_key`; None where the file is missing.
    is_cached: Tells whether an object (a directory with all its files) is in the cache.
    legacy_md5: Computes the hash of DVC 2.x for a path that holds a file.
    """

    contents: Mapping[str, Found]
    params: Mapping[str, Any]
    is_cached: Callable[[ObjectId], bool]
    legacy_md5: Callable[[str], str]


def gather_facts(
    stages: Iterable[Stage],
    *,
    root: AbsPath,
    reader: FileReader,
    state: StateDb,
    ignore: IgnoreRules,
    is_cached: Callable[[ObjectId], bool],
    look_at_url: LookAtUrl | None = None,
) -> Facts:
    """Looks at every dependency, output and parameter file of some stages, each path once.

    Args:
        stages: Whose.
        root: Of the project.
        reader: Its parameter files.
        state: Known hashes.
        ignore: Rules of the project.
        is_cached: Tells whether an object is in the cache.
        look_at_url: Tells what is at a url: its content, or what the server says of it; None if nothing can.

    Raises:
        OffbranchError: A path cannot be read, or a url cannot be asked.
    """
    contents: dict[str, Found] = {}
    params: dict[str, Any] = {}
    for stage in stages:
        # Where an import comes from is looked at by `ob update` only.
        deps = stage.deps if stage.command is not None else ()
        items: tuple[Dependency | Output, ...] = (*deps, *stage.outs)
        for item in items:
            key = item_key(stage, item)
            if key not in contents:
                contents[key] = observe_item(stage, item, root=root, state=state, ignore=ignore, urls=look_at_url)
        for dependency in stage.params:
            name = item_key(stage, dependency)
            if name not in params:
                params[name] = read_params(reader, root, name, dependency.path)

    def legacy_md5(key: str) -> str:
        return hash_text_normalised(key_on_disk(root, key))

    return Facts(contents=contents, params=params, is_cached=is_cached, legacy_md5=legacy_md5)


def observe_item(
    stage: Stage,
    item: Dependency | Output,
    *,
    root: AbsPath,
    state: StateDb,
    ignore: IgnoreRules,
    urls: LookAtUrl | None = None,
) -> Found:
    """Returns what is at a dependency or output of a stage now."""
    key = item_key(stage, item)
    if isinstance(item, Dependency) and key.startswith(DATASET_PREFIX):
        return _dataset(stage, item)
    if is_at_url(stage, item):
        if urls is None:
            raise OffbranchError(f"stage '{stage.address}' uses the url '{key}', which cannot be looked at here")
        return urls(key)
    return observe(key_on_disk(root, key), state=state, ignore=None if item.path is None else ignore, rel=RepoPath(key))


def is_at_url(stage: Stage, item: Dependency | Output) -> bool:
    """Tells whether a dependency or output is elsewhere, at a url."""
    return item.path is None and "://" in item_key(stage, item)


def _dataset(stage: Stage, dependency: Dependency) -> Recorded | OutOfSync:
    dataset = dependency.dataset
    if dataset is None:
        raise NotFoundError(
            f"stage '{stage.address}' reads '{dependency.written}', and no dvc.yaml has a dataset of that name",
            hint=f"define it under 'datasets', or change 'deps' in {stage.file}",
        )
    return Recorded(fields={"dataset": dict(dataset.locked or {})}) if dataset.is_in_sync else OutOfSync()


def read_params(reader: FileReader, root: AbsPath, key: str, path: RepoPath | None) -> Any:
    """Returns a parsed parameter file, None when it is missing."""
    try:
        if path is None:
            with open(key_on_disk(root, key), "rb") as file:
                return parse_params(file.read(), key)
        return parse_params(reader.read_bytes(path), path)
    except FileNotFoundError:
        return None


def key_on_disk(root: AbsPath, key: str) -> AbsPath:
    """Returns where the item with a key is on disk."""
    return AbsPath(key) if is_external(key) else AbsPath(os.path.normpath(join(root, key)))


def place_on_disk(root: AbsPath, stage: Stage, item: Dependency | Output) -> AbsPath:
    """Returns where an item of a stage is on disk."""
    return key_on_disk(root, item_key(stage, item))
