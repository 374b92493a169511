""".dvc files: data that is tracked by itself, or imported. Reading, and writing in DVC's order of keys.

A file that exists keeps its comments, annotations and unknown parts; only the record of its content changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.paths import RepoPath, is_external, is_private, parent, resolve_in
from offbranch.base.plugins import load
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.emit import render
from offbranch.pipeline.schema_data import check_data_file
from offbranch.pipeline.stage import Dependency, LockedItem, LockedStage, Output, Stage
from offbranch.pipeline.versions import CLOUD, FILES, read_files

_SOURCE_KEYS = ("repo", "db", "fs_config")
_OPTION_KEYS = ("cache", "persist", "remote", "push", "desc", "type", "labels", "meta", "checkpoint", "metric", "plot")
_HASH_KEYS = ("md5", "etag", "checksum")
_LAST_KEYS = ("version_id",)
_RECORD_KEYS = ("md5", "size", "nfiles", "isexec", "hash")
_KNOWN = frozenset((*_RECORD_KEYS, "path", *_SOURCE_KEYS, *_OPTION_KEYS))
_NOT_IN_DIGEST = frozenset(
    ("desc", "type", "labels", "meta", "locked", "frozen", "metric", "persist", "isexec", "size", "nfiles")
)


def parse_data_file(text: str, path: RepoPath) -> tuple[Stage, LockedStage]:
    """Returns what a .dvc file defines, and the content it records.

    Raises:
        BadInputError: It is malformed, with the place.
    """
    document = load_yaml(text, path)
    check_data_file(document, text=text, path=path)
    wdir = resolve_in(parent(path), document.get("wdir", "."))
    if wdir is None:
        raise BadInputError(f"'{document['wdir']}' leads outside the project", path=path, key="wdir")
    deps = document.get("deps") or []
    outs = document.get("outs") or []
    outputs = tuple(_output(item, wdir) for item in outs)
    for out in outputs:
        if out.path is not None and is_private(out.path):
            # Such a file may come from a stranger's repository, and a checkout would write into `.git`.
            raise BadInputError(
                f"'{out.written}' is no place for data", path=path, key="outs", hint="choose another path"
            )
    stage = Stage(
        name=None,
        file=path,
        wdir=wdir,
        deps=tuple(_dependency(item, wdir) for item in deps),
        outs=outputs,
        frozen=document.get("frozen", False),
        always_changed=document.get("always_changed", False),
        desc=document.get("desc"),
        meta=document.get("meta"),
    )
    return stage, LockedStage(deps=_locked_items(deps, "deps", path), outs=_locked_items(outs, "outs", path))


def render_data_file(
    outs: Sequence[tuple[Output, LockedItem]],
    deps: Sequence[tuple[Dependency, LockedItem]] = (),
    *,
    desc: str | None = None,
    frozen: bool = False,
    meta: Any = None,
) -> str:
    """Returns the text of a new .dvc file.

    Args:
        outs: Each output with the content to record.
        deps: Where the data is imported from, with the content found there.
        desc: What the data is, for people.
        frozen: Not brought up to date by running the pipeline, as imports are.
        meta: Anything of the user's own.
    """
    body: dict[str, Any] = {}
    if frozen:
        body["frozen"] = True
    if deps:
        body["deps"] = [_import_record(dep, item) for dep, item in deps]
    body["outs"] = [{**_record(item), "path": out.written, **_options(out)} for out, item in outs]
    if meta is not None:
        body["meta"] = meta
    head: dict[str, Any] = {} if desc is None else {"desc": desc}
    if deps and all(item.md5 or item.extra or _is_locked(dep.source) for dep, item in deps):
        head["md5"] = digest(body)
    return render({**head, **body})


def update_datafile_text(
    text: str,
    path: str,
    outs: Mapping[str, LockedItem],
    deps: Mapping[str, LockedItem] | None = None,
    *,
    repos: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Returns the text of a .dvc file with the content of some outputs (and dependencies) recorded anew.

    Comments, order, annotations and unknown keys of the file stay.

    Args:
        text: The present text.
        path: The file, for messages.
        outs: Output path as written -> what it holds now.
        deps: Same for dependencies.
        repos: Dependency as written -> keys of its `repo` that have changed.

    Raises:
        BadInputError: The present text is malformed.
    """
    document = load_yaml(text, path)
    check_data_file(document, text=text, path=path)
    sections = (("deps", deps or {}), ("outs", outs))
    changed_repos = repos or {}
    if "#" in text or "&" in text or "!" in text:
        # Comments, anchors or tags: only a round trip keeps them.
        edited: str = load("offbranch.base.yaml_ruamel:edit")(
            text, lambda loaded: _record_in_place(loaded, sections, changed_repos)
        )
        return edited
    _record_in_place(document, sections, changed_repos)
    return render(document)


def relocate_datafile_text(text: str, path: str, renamed: Mapping[str, Mapping[str, str]], wdir: str | None) -> str:
    """Returns the text of a .dvc file with paths in it changed, for data or a .dvc file that goes elsewhere.

    Args:
        text: The present text.
        path: The file, for messages.
        renamed: `deps` or `outs` -> path as written -> the new one.
        wdir: The new `wdir` of a file that has one.
    """
    document = load_yaml(text, path)
    check_data_file(document, text=text, path=path)

    def change(loaded: Any) -> None:
        for section, paths in renamed.items():
            for item in loaded.get(section) or ():
                item["path"] = paths.get(str(item["path"]), item["path"])
        if wdir is not None and "wdir" in loaded:
            loaded["wdir"] = wdir
        if "md5" in loaded:
            loaded["md5"] = digest(loaded)

    if "#" in text or "&" in text or "!" in text:
        edited: str = load("offbranch.base.yaml_ruamel:edit")(text, change)
        return edited
    change(document)
    return render(document)


def is_digest_right(text: str, path: str) -> bool:
    """Tells whether a .dvc file with dependencies is what its own `md5` says; without one it is not."""
    document = load_yaml(text, path)
    return bool(document.get("md5") == digest(document))


def digest(document: Mapping[str, Any]) -> str:
    """Returns the top-level `md5` of a .dvc file, by which DVC notices that it was edited."""
    kept = {key: value for key, value in document.items() if key not in ("md5", "meta", "desc")}
    if kept.get("wdir") == ".":
        del kept["wdir"]
    # Loaded here by name: every command reads .dvc files, but only those that record an import need a digest.
    text: str = load("json:dumps")(_without_annotations(kept), sort_keys=True, default=str)
    digest_text: str = load("hashlib:md5")(text.encode(), usedforsecurity=False).hexdigest()
    return digest_text


def _without_annotations(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_annotations(child) for key, child in value.items() if key not in _NOT_IN_DIGEST}
    return [_without_annotations(child) for child in value] if isinstance(value, list) else value


def _record(item: LockedItem) -> dict[str, Any]:
    """Returns the hash keys of an item in the order of .dvc files, where they come before the path."""
    record: dict[str, Any] = {}
    lists_files = FILES in item.extra and item.md5 is not None
    if item.md5 is not None and not lists_files:
        record["md5"] = item.md5
    record.update({key: item.extra[key] for key in _HASH_KEYS if key in item.extra})
    if item.size is not None and not lists_files:
        record["size"] = item.size
    if item.n_files is not None and not lists_files:
        record["nfiles"] = item.n_files
    if item.is_executable:
        record["isexec"] = True
    record.update({key: item.extra[key] for key in _LAST_KEYS if key in item.extra})
    if item.hash_name is not None:
        record["hash"] = item.hash_name
    return record


def _import_record(dependency: Dependency, item: LockedItem) -> dict[str, Any]:
    files = {FILES: item.extra[FILES]} if FILES in item.extra else {}
    return {**_record(item), "path": item.written, **(dependency.source or {}), **files}


def _is_locked(source: Mapping[str, Any] | None) -> bool:
    repo = (source or {}).get("repo")
    return isinstance(repo, Mapping) and "rev_lock" in repo


def _options(out: Output) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if not out.cache:
        options["cache"] = False
    if out.persist:
        options["persist"] = True
    if out.remote is not None:
        options["remote"] = out.remote
    if not out.push:
        options["push"] = False
    return {**options, **out.annotations}


def _record_in_place(
    document: Any, sections: Sequence[tuple[str, Mapping[str, LockedItem]]], repos: Mapping[str, Mapping[str, str]]
) -> None:
    """Alters a loaded document: keys keep their places, new ones come last in their item, as DVC does it."""
    for name, items in sections:
        for item in document.get(name) or ():
            new = items.get(str(item.get("path")))
            if new is None:
                continue
            record = {**_record(new), **({CLOUD: new.extra[CLOUD]} if CLOUD in new.extra else {})}
            for key in (*_RECORD_KEYS, *_HASH_KEYS, *_LAST_KEYS, FILES, CLOUD):
                if key in item and key not in record:
                    del item[key]
            for key, value in record.items():
                item[key] = value
            if FILES in new.extra:
                item[FILES] = new.extra[FILES]
    for item in document.get("deps") or ():
        if isinstance(item.get("repo"), dict):
            item["repo"].update(repos.get(str(item["path"]), {}))
    is_carried_out = any(item.md5 or item.extra for item in sections[0][1].values())
    if "md5" in document or is_carried_out or repos:
        document["md5"] = digest(document)


def _dependency(item: Mapping[str, Any], wdir: RepoPath) -> Dependency:
    written = str(item.get("path", ""))
    source = {key: item[key] for key in _SOURCE_KEYS if key in item}
    outside = bool(source) or is_external(written)
    return Dependency(
        written=written, path=None if outside else resolve_in(wdir, written), source=source if source else None
    )


def _output(item: Mapping[str, Any], wdir: RepoPath) -> Output:
    written = item["path"]
    return Output(
        written=written,
        path=None if is_external(written) else resolve_in(wdir, written),
        cache=item.get("cache", True),
        persist=item.get("persist", False),
        push=item.get("push", True),
        remote=item.get("remote"),
        annotations={key: item[key] for key in ("desc", "type", "labels", "meta") if key in item},
    )


def _locked_items(items: Sequence[Mapping[str, Any]], section: str, path: RepoPath) -> tuple[LockedItem, ...]:
    found = []
    for position, item in enumerate(items):
        try:
            found.append(read_files(_locked(item)))
        except (ValueError, BadInputError) as error:
            raise BadInputError(str(error), path=path, key=f"{section}[{position}].{FILES}") from error
    return tuple(found)


def _locked(item: Mapping[str, Any]) -> LockedItem:
    return LockedItem(
        written=str(item.get("path", "")),
        md5=item.get("md5"),
        hash_name=item.get("hash"),
        size=item.get("size"),
        n_files=item.get("nfiles"),
        is_executable=bool(item.get("isexec", False)),
        extra={key: value for key, value in item.items() if key not in _KNOWN},
    )
