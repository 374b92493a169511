"""What Live says of its files in dvc.yaml: its own entries are replaced in place, everything else stays, comments included.

An entry is ours if its path lies below the directory of this `Live`. New ones come last. Nothing is written while the file
says it already.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.plugins import load
from offbranch.base.records import field, record
from offbranch.live.formats import replace_file

_LISTS = ("params", "metrics", "plots")


@record
class Entries:
    """What is to be said, with paths as seen from the directory of dvc.yaml.

    Attributes:
        prefixes: What the paths of our entries begin with.
        params, metrics: Files.
        plots: Path -> options; no options: the path alone.
        artifacts: Name -> what is known of it.
    """

    prefixes: tuple[str, ...]
    params: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def prefixes_of(directory: str, base: str) -> tuple[str, ...]:
    """Returns what the paths of entries begin with that belong to a Live.

    Args:
        directory: Of the Live.
        base: Directory of dvc.yaml.
    """
    seen = os.path.relpath(directory, base).replace(os.sep, "/")
    return ("metrics.json", "params.yaml", "plots/", "artifacts/") if seen == "." else (f"{seen}/",)


def known_entries(path: str, prefixes: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what an earlier program of this Live has said of its plots and artifacts: options by path, values by name."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            document = load("offbranch.base.yaml:load_yaml")(file.read(), path)
    except (OSError, ValueError, BadInputError):
        return {}, {}
    if not isinstance(document, dict):
        return {}, {}
    listed = document.get("plots")
    plots = {
        path: dict(options)
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict) and _is_ours(entry, prefixes)
        for path, options in entry.items()
        if isinstance(options, dict)
    }
    artifacts = document.get("artifacts")
    named = artifacts if isinstance(artifacts, dict) else {}
    return plots, {name: dict(value) for name, value in named.items() if isinstance(value, dict)}


def write_entries(path: str, entries: Entries) -> bool:
    """Brings a dvc.yaml up to date; returns whether it was written.

    Args:
        path: Of the file; it and its directory are made if need be.
        entries: What it is to say.

    Raises:
        OSError: It cannot be read or written.
        BadInputError: It is no YAML.
        ValueError: Its sections are not of the kinds they should be.
    """
    try:
        with open(path, "rb") as file:
            before = file.read().decode("utf-8-sig")
    except FileNotFoundError:
        before = ""
    after = plan_text(before, path, entries)
    if after == before:
        return False
    replace_file(path, after.encode())
    return True


def plan_text(before: str, path: str, entries: Entries) -> str:
    """Returns the text of dvc.yaml with the entries in it; pure.

    Raises:
        BadInputError: The text is no YAML.
        ValueError: Its sections are not of the kinds they should be.
    """
    yaml = "offbranch.base.yaml_ruamel"
    document = load(f"{yaml}:read")(before, path)
    if document is None:
        wanted = {name: value for name in (*_LISTS, "artifacts") if (value := _section(name, entries))}
        text: str = before + load(f"{yaml}:dump")(wanted) if wanted else before
        return text
    if not isinstance(document, dict):
        raise ValueError(f"'{path}' is not a map")
    changed = [name for name in _LISTS if _is_changed(document.get(name), _section(name, entries), entries.prefixes)]
    has_artifacts = _artifacts_change(document.get("artifacts"), entries)
    if not changed and not has_artifacts:
        return before

    def change(document: Any) -> None:
        for name in changed:
            _change_list(document, name, _section(name, entries), entries.prefixes)
        if has_artifacts:
            _change_artifacts(document, entries)

    edited: str = load(f"{yaml}:edit")(before, change)
    return edited


def _section(name: str, entries: Entries) -> Any:
    """Returns a section as new lists and maps: the writer attaches comments to them."""
    match name:
        case "params":
            return list(entries.params)
        case "metrics":
            return list(entries.metrics)
        case "plots":
            return [{path: _plain(options)} if options else path for path, options in entries.plots.items()]
        case _:
            return {key: _plain(value) for key, value in entries.artifacts.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _path_of(entry: Any) -> str | None:
    """Returns what an entry of a list is about: its text, or its only key."""
    if isinstance(entry, dict):
        return str(next(iter(entry))) if len(entry) == 1 else None
    return entry if isinstance(entry, str) else None


def _is_ours(entry: Any, prefixes: tuple[str, ...]) -> bool:
    path = _path_of(entry)
    return path is not None and _norm(path).startswith(prefixes)


def _norm(path: str) -> str:
    return os.path.normpath(path).replace(os.sep, "/")


def _is_changed(present: Any, wanted: Sequence[Any], prefixes: tuple[str, ...]) -> bool:
    """Tells whether a section does not say of our files what it should."""
    if isinstance(present, dict):  # plots may be a map
        ours = [
            {key: value} if value else key for key, value in present.items() if _norm(str(key)).startswith(prefixes)
        ]
    elif isinstance(present, list):
        ours = [entry for entry in present if _is_ours(entry, prefixes)]
    elif present is None:
        ours = []
    else:
        raise ValueError("a section of params, metrics or plots is neither a list nor a map")
    return ours != list(wanted)


def _change_list(document: Any, name: str, wanted: list[Any], prefixes: tuple[str, ...]) -> None:
    present = document.get(name)
    if present is None:
        document[name] = wanted
        return
    if isinstance(present, dict):
        for key in [key for key in present if _norm(str(key)).startswith(prefixes)]:
            del present[key]
        present.update(
            {_path_of(entry): entry[_path_of(entry)] if isinstance(entry, dict) else None for entry in wanted}
        )
        return
    keep = [_path_of(entry) for entry in wanted]
    for index in range(len(present) - 1, -1, -1):
        if _is_ours(present[index], prefixes) and present[index] not in wanted:
            del present[index]
    there = [_path_of(entry) for entry in present if _path_of(entry) in keep]
    present.extend(entry for entry in wanted if _path_of(entry) not in there)
    if not present:
        del document[name]


def _artifacts_change(present: Any, entries: Entries) -> bool:
    if present is not None and not isinstance(present, dict):
        raise ValueError("the section artifacts is not a map")
    known = present or {}
    wanted = _section("artifacts", entries)
    return any(known.get(name) != value for name, value in wanted.items()) or bool(_stale(known, entries))


def _stale(known: Mapping[str, Any], entries: Entries) -> list[str]:
    """Returns the names of artifacts below our directory that are not logged any more."""
    return [
        name
        for name, value in known.items()
        if name not in entries.artifacts
        and isinstance(value, dict)
        and isinstance(value.get("path"), str)
        and _norm(value["path"]).startswith(entries.prefixes)
    ]


def _change_artifacts(document: Any, entries: Entries) -> None:
    if document.get("artifacts") is None:
        document["artifacts"] = {}
    section = document["artifacts"]
    for name in _stale(section, entries):
        del section[name]
    for name, value in _section("artifacts", entries).items():
        if section.get(name) != value:
            section[name] = value
    if not section:
        del document["artifacts"]
