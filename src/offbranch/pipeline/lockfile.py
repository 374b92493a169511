"""dvc.lock: what each stage was when it last ran. Reading, and writing byte for byte as DVC 3 does (schema 2.0).

One entry is changed without parsing or writing the others: their text stays as it is. Entries keep their place, those
of stages that are gone stay, unknown top-level keys stay.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.paths import PARAMS_FILE
from offbranch.base.yaml import line_of, load_yaml
from offbranch.base.yaml_simple import NOT_SURE, plain_scalar
from offbranch.pipeline.emit import render
from offbranch.pipeline.schema_faults import Key, key_text, kind_of
from offbranch.pipeline.stage import LockedItem, LockedStage
from offbranch.pipeline.versions import FILES, read_files
from offbranch.storage.objects import is_object_id

SCHEMA = "2.0"
_ITEM_KEYS = frozenset(("path", "hash", "md5", "size", "nfiles", "isexec"))
# Lines that begin a top-level key or an entry of `stages`; comments and everything deeper belong to what is above.
# Beginning with the newline before the line: that literal makes the search ten times faster than an anchor.
_HEADS = re.compile(r"\n {0,2}+[^ #\n][^\n]*")


def parse_lock(text: str, path: str) -> dict[str, LockedStage]:
    """Returns the entries of a dvc.lock by stage name, in file order.

    Raises:
        BadInputError: It is not a lock file of schema 2.0, with the place.
    """
    document = load_yaml(text, path)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadInputError(f"expected a mapping with 'stages', found {kind_of(document)}", path=path)
    if str(document.get("schema")) != SCHEMA:
        raise _error(text, path, ("schema",), f"expected the schema '{SCHEMA}'")
    stages = document.get("stages")
    if stages is None:
        return {}
    if not isinstance(stages, dict):
        raise _error(text, path, ("stages",), f"expected a mapping, found {kind_of(stages)}")
    entries = {}
    for name, entry in stages.items():
        try:
            entries[str(name)] = _entry(entry)
        except _Malformed as error:
            raise _error(text, path, ("stages", name, *error.key), error.reason) from error
    return entries


def parse_locked_datasets(text: str, path: str) -> dict[str, Mapping[str, Any]]:
    """Returns the entries of `datasets` of a dvc.lock by name; those that are no entries are left out.

    Raises:
        BadInputError: It is not YAML.
    """
    document = load_yaml(text, path)
    entries = document.get("datasets") if isinstance(document, dict) else None
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {entry["name"]: entry for entry in found if isinstance(entry.get("name"), str)}


def parse_entry(text: str, path: str) -> LockedStage:
    """Returns a single entry that is a document of its own, as the run-cache keeps it.

    Raises:
        BadInputError: It is malformed.
    """
    try:
        return _entry(load_yaml(text, path))
    except _Malformed as error:
        raise _error(text, path, error.key, error.reason) from error


def entry_mapping(entry: LockedStage) -> dict[str, Any]:
    """Returns an entry as the map that dvc.lock holds, sections, items and keys in their order."""
    mapping: dict[str, Any] = {}
    if entry.command is not None:
        mapping["cmd"] = list(entry.command) if isinstance(entry.command, tuple) else entry.command
    if entry.deps:
        mapping["deps"] = _items(entry.deps)
    if entry.params:
        files = sorted(entry.params, key=lambda file: (file != PARAMS_FILE, file))
        mapping["params"] = {file: dict(sorted(entry.params[file].items())) for file in files}
    if entry.outs:
        mapping["outs"] = _items(entry.outs)
    return mapping


def canonical_json(mapping: Mapping[str, Any]) -> str:
    """Returns the JSON text over which DVC takes its hashes: sorted keys.

    Maps whose keys are of several kinds, which DVC refuses, are sorted by the text of the keys.
    """
    try:
        return json.dumps(mapping, sort_keys=True, default=str)
    except TypeError:
        return json.dumps(_with_text_keys(mapping), sort_keys=True, default=str)


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _with_text_keys(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_text_keys(child) for child in value]
    return value


# What servers call a content; it stands where a hash would.
_TAGS = ("etag", "checksum")


def item_mapping(item: LockedItem) -> dict[str, Any]:
    """Returns a dependency or output as the map that dvc.lock holds."""
    mapping: dict[str, Any] = {"path": item.written}
    if item.hash_name is not None:
        mapping["hash"] = item.hash_name
    if FILES not in item.extra or item.md5 is None:
        if item.md5 is not None:
            mapping["md5"] = item.md5
        mapping.update({key: item.extra[key] for key in _TAGS if key in item.extra})
        if item.size is not None:
            mapping["size"] = item.size
        if item.n_files is not None:
            mapping["nfiles"] = item.n_files
    if item.is_executable:
        mapping["isexec"] = True
    mapping.update({key: value for key, value in item.extra.items() if key not in _TAGS})
    return mapping


def render_entry_document(entry: LockedStage) -> str:
    """Returns an entry as a document of its own."""
    return render(entry_mapping(entry))


def render_lock_entry(name: str, entry: LockedStage) -> str:
    """Returns the lines of one entry as they stand below `stages:`."""
    return render({name: entry_mapping(entry)}, indent=2)


def update_lock_text(
    old: str | None,
    changes: Mapping[str, LockedStage | None],
    *,
    ahead_of: Collection[str] = (),
    path: str = "dvc.lock",
) -> str:
    """Returns the text of a dvc.lock with some entries written anew.

    Args:
        old: The present text; None when there is no file.
        changes: Stage name -> its new entry, or None to remove it.
        ahead_of: Names; an entry that is not there yet is put before the first of them, else at the end.
        path: The file, for messages.

    Raises:
        BadInputError: The present text is malformed.
    """
    if old is None or not old.strip():
        return f"schema: '{SCHEMA}'\n{_stages_text(_with_changes({}, changes, ahead_of))}"
    parts = _split(old)
    if parts is None:
        return _rewrite(old, changes, ahead_of, path)
    before, entries, after = parts
    return f"{before}{_stages_text(_with_changes(entries, changes, ahead_of))}{after}"


def _with_changes(
    entries: dict[str, str], changes: Mapping[str, LockedStage | None], ahead_of: Collection[str]
) -> dict[str, str]:
    behind = next((name for name in entries if name in ahead_of), None)
    for name, entry in changes.items():
        if entry is None:
            entries.pop(name, None)
        else:
            is_new = name not in entries
            entries[name] = render_lock_entry(name, entry)
            if is_new and behind is not None:
                entries = _moved(entries, name, behind)
    return entries


def _moved(entries: dict[str, str], name: str, before: str) -> dict[str, str]:
    """Returns entries with one of them moved to the place before another."""
    names = [other for other in entries if other != name]
    names.insert(names.index(before), name)
    return {name: entries[name] for name in names}


def _stages_text(entries: Mapping[str, str]) -> str:
    return "".join(("stages:\n", *entries.values())) if entries else "stages: {}\n"


def _split(text: str) -> tuple[str, dict[str, str], str] | None:
    """Cuts a lock file into (before `stages:`, text of each entry, after); None when it is not in the usual style."""
    if not text.endswith("\n"):
        text += "\n"
    if "\r" in text or "\t" in text:
        return None
    before = after = ""
    entries: dict[str, str] = {}
    section: str | None = None
    heads = [(head.start(), head[0][1:]) for head in _HEADS.finditer("\n" + text)]
    for n, (start, line) in enumerate(heads):
        end = heads[n + 1][0] if n + 1 < len(heads) else len(text)
        chunk = text[start if n else 0 : end]
        if line[0] == "-" and section not in (None, "stages"):
            # An item of `datasets`, whose list stands at the column of its key.
            before, after = (before, after + chunk) if entries or after else (before + chunk, after)
        elif line[0] != " ":
            section, colon, rest = line.partition(":")
            if not colon or section.startswith(("-", ".", "%", "{", "[", "?", "&", "*", "'", '"')):
                return None
            if section == "stages":
                if rest.strip(" ") not in ("", "{}") or chunk.count("\n") != 1 or "stages:" in before:
                    return None
            elif entries or after:
                after += chunk
            else:
                before += chunk
        elif line[1] != " ":
            return None
        elif section == "stages":
            name = _name(line)
            if name is None or name in entries or after:
                return None
            entries[name] = chunk
        elif after:
            after += chunk
        else:
            before += chunk
    if after and not entries:
        return None
    return before, entries, after


def _name(line: str) -> str | None:
    """Returns the stage name of a line such as `  train:`; None when it is no such line."""
    written = line[2:].partition(" #")[0].rstrip(" ")
    if line[:2] != "  " or not written.endswith(":") or written[0] in '-?&*!|>%@`{["#':
        return None
    written = written[:-1]
    if written[:1] == "'":
        inner = written[1:-1]
        return inner if written[-1] == "'" and len(written) > 1 and "'" not in inner else None
    name = plain_scalar(written) if written and ": " not in written and " #" not in written else NOT_SURE
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else None


def _rewrite(old: str, changes: Mapping[str, LockedStage | None], ahead_of: Collection[str], path: str) -> str:
    """Writes every entry anew, for a file in a style that DVC does not write."""
    entries = {name: render_lock_entry(name, entry) for name, entry in parse_lock(old, path).items()}
    document = load_yaml(old, path)
    others = {key: value for key, value in document.items() if key not in ("schema", "stages")}
    kept = _with_changes(entries, changes, ahead_of)
    return f"schema: '{SCHEMA}'\n{render(others)}{_stages_text(kept)}"


class _Malformed(Exception):
    """What is wrong inside an entry, and where below it."""

    def __init__(self, key: Key, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def _entry(entry: Any) -> LockedStage:
    if not isinstance(entry, dict):
        raise _Malformed((), f"expected a mapping, found {kind_of(entry)}")
    command = entry.get("cmd")
    if isinstance(command, list):
        command = tuple(str(item) for item in command)
    elif command is not None and not isinstance(command, str):
        raise _Malformed(("cmd",), f"expected text or a list of texts, found {kind_of(command)}")
    params = entry.get("params") or {}
    if not isinstance(params, dict):
        raise _Malformed(("params",), f"expected a mapping of files, found {kind_of(params)}")
    for file, values in params.items():
        if values is not None and not isinstance(values, dict):
            raise _Malformed(("params", file), f"expected a mapping of keys, found {kind_of(values)}")
    return LockedStage(
        command=command,
        deps=_locked_items(entry.get("deps"), "deps"),
        params={str(file): values or {} for file, values in params.items()},
        outs=_locked_items(entry.get("outs"), "outs"),
    )


def _locked_items(items: Any, section: str) -> tuple[LockedItem, ...]:
    if items is None:
        return ()
    if not isinstance(items, list):
        raise _Malformed((section,), f"expected a list, found {kind_of(items)}")
    found = []
    for position, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("path"), str):
            raise _Malformed((section, position), "expected a mapping with 'path'")
        found.append(locked_item(item, key=(section, position)))
    return tuple(found)


def locked_item(item: Mapping[str, Any], *, key: Key = ()) -> LockedItem:
    """Returns the record of a map with `path` and what is known of it."""
    md5, size, n_files = item.get("md5"), item.get("size"), item.get("nfiles")
    if md5 is not None and not isinstance(md5, str):
        raise _Malformed((*key, "md5"), f"expected text, found {kind_of(md5)}")
    if md5 is not None and not is_object_id(md5):
        # It becomes part of a path in the cache and at remotes, and may come from a stranger's repository.
        raise _Malformed((*key, "md5"), f"{md5!a} is not an md5 of 32 hex digits")
    for name, number in (("size", size), ("nfiles", n_files)):
        if number is not None and type(number) is not int:
            raise _Malformed((*key, name), f"expected a whole number, found {kind_of(number)}")
    found = LockedItem(
        written=item["path"],
        md5=md5,
        hash_name=item.get("hash"),
        size=size,
        n_files=n_files,
        is_executable=bool(item.get("isexec", False)),
        extra={} if item.keys() <= _ITEM_KEYS else {k: v for k, v in item.items() if k not in _ITEM_KEYS},
    )
    if not found.extra:
        return found
    try:
        return read_files(found)
    except (ValueError, BadInputError) as error:
        raise _Malformed((*key, FILES), str(error)) from error


def _items(items: Iterable[LockedItem]) -> list[dict[str, Any]]:
    return [item_mapping(item) for item in sorted(items, key=lambda item: item.written)]


def _error(text: str, path: str, key: Key, reason: str) -> BadInputError:
    place = line_of(text, key) or (None, None)
    return BadInputError(
        reason,
        path=path,
        line=place[0],
        column=place[1],
        key=key_text(key) or None,
        hint=f"restore '{path}' from Git, or delete it and run the stages again",
    )
