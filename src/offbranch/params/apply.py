"""Overrides to new contents of parameter files. Pure: it reads through a function and returns bytes.

Decides what an override means for the data of a file, as a list of elementary changes; the editors of each format then
change the text and nothing around it. The invariant: parsing the new content gives exactly the changed data.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from offbranch.base.errors import ConflictError, NotFoundError, UsageError
from offbranch.base.files import decode
from offbranch.base.paths import ROOT, RepoPath, resolve_in
from offbranch.base.plugins import load
from offbranch.params.changes import Change, Path, Put, Remove, apply_change, copy_of, same_data, value_at
from offbranch.params.files import Format, format_of, parse_text
from offbranch.params.keys import find_path, near_keys, step_into
from offbranch.params.overrides import Operation, Override

_EDITORS = {
    Format.YAML: "offbranch.params.edit_yaml:edit",
    Format.JSON: "offbranch.params.edit_json:edit",
    Format.TOML: "offbranch.params.edit_toml:edit",
    Format.PYTHON: "offbranch.params.edit_python:edit",
}
_BOM = b"\xef\xbb\xbf"


def plan_overrides(read: Callable[[str], bytes | None], overrides: Sequence[Override]) -> dict[str, bytes]:
    """Returns the new content of every parameter file that overrides change.

    Args:
        read: Gives the content of a file by its normalised path, or None where there is none: an empty mapping.
        overrides: Applied in their order; a `${key}` in a value sees the data after all of them.

    Returns:
        Content by normalised path, in the order of first mention. Files that stay as they are are left out.

    Raises:
        NotFoundError: A key to replace or delete is not there.
        ConflictError: A key to add is there, or one to delete has another value.
        UsageError: An override is a sweep, names a package of Hydra, or a file outside the project.
        BadInputError: A file is malformed.
        OffbranchError: A file cannot hold the value, or a `${}` leads nowhere.
    """
    by_file: dict[str, list[Override]] = {}
    for override in overrides:
        by_file.setdefault(_file_of(override), []).append(override)
    planned = {}
    for file, group in by_file.items():
        old = read(file)
        new = _plan_file(file, old or b"", group)
        if new != old:
            planned[file] = new
    return planned


def _file_of(override: Override) -> str:
    if override.sweep is not None or override.glob is not None:
        raise UsageError(
            f"'{override.text}' is a sweep over several values, and a sweep can only be queued",
            hint="ob exp run --queue makes a trial of each value",
        )
    if override.package is not None:
        raise UsageError(
            f"invalid value for --set-param '{override.text}': no package may be named here",
            hint="packages are for groups of a configuration that Hydra composes (hydra.enabled)",
        )
    return file_of(override)


def file_of(override: Override) -> RepoPath:
    """Returns the parameter file of an override, normalised.

    Raises:
        UsageError: It is outside of the project.
    """
    path = resolve_in(ROOT, override.file)
    if not path:
        raise UsageError(f"cannot override parameters in '{override.file}': it is outside the project")
    return path


def _plan_file(file: str, content: bytes, overrides: Sequence[Override]) -> bytes:
    text = decode(content, file)
    data = copy_of(parse_text(text, file))
    values = _resolved_values(file, data, overrides)
    edit = load(_EDITORS[format_of(file)])
    for override, value in zip(overrides, values, strict=True):
        for change in _changes(data, override, value, file):
            if isinstance(change, Put) and _is_there(data, change):
                continue
            apply_change(data, change)
            text = edit(text, change, data, file)
    return (_BOM if content.startswith(_BOM) else b"") + text.encode()


def _is_there(data: Any, change: Put) -> bool:
    try:
        return same_data(value_at(data, change.path), change.value)
    except (KeyError, IndexError):
        return False


def _resolved_values(file: str, data: Any, overrides: Sequence[Override]) -> list[Any]:
    if not any(_has_interpolation(override.value) for override in overrides):
        return [override.value for override in overrides]
    seen = copy_of(data)
    for override in overrides:
        for change in _changes(seen, override, override.value, file):
            apply_change(seen, change)
    resolve = load("offbranch.params.overrides_hydra:resolve_interpolations")
    return [
        resolve(seen, override.value, override.text) if _has_interpolation(override.value) else override.value
        for override in overrides
    ]


def _has_interpolation(value: Any) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(map(_has_interpolation, value.values()))
    return isinstance(value, list) and any(map(_has_interpolation, value))


def _changes(data: Any, override: Override, value: Any, file: str) -> Iterable[Change]:
    path = find_path(data, override.key)
    match override.operation:
        case Operation.SET:
            if path is None:
                raise _unknown("override", override, override.key, data, file)
            return _replacing(data, path, value, override, file)
        case Operation.ADD:
            if path is not None and not isinstance(value, dict | list) and value_at(data, path) is not None:
                raise ConflictError(
                    f"could not add '{override.key}': it is already in '{file}'",
                    hint=f"to change it leave the '+' out: --set-param '{_without_sign(override)}'",
                )
        case Operation.DELETE:
            return (_deletion(data, path, override, file),)
        case Operation.FORCE:
            pass
    if path is None:
        return (_addition(data, override, value, file),)
    return _merging(data, path, value)


def _replacing(data: Any, path: Path, value: Any, override: Override, file: str) -> Iterator[Change]:
    """A map is merged into a map, as Hydra does; every key of it must exist."""
    old = value_at(data, path)
    if not (isinstance(value, dict) and isinstance(old, dict)):
        yield Put(path=path, value=value)
        return
    for key, item in value.items():
        if key not in old:
            raise _unknown("override", override, ".".join(map(str, (*path, key))), data, file)
        yield from _replacing(data, (*path, key), item, override, file)


def _merging(data: Any, path: Path, value: Any) -> Iterator[Change]:
    old = value_at(data, path)
    if not (isinstance(value, dict) and isinstance(old, dict)):
        yield Put(path=path, value=value)
        return
    for key, item in value.items():
        if key in old:
            yield from _merging(data, (*path, key), item)
        else:
            yield Put(path=(*path, key), value=item)


def _addition(data: Any, override: Override, value: Any, file: str) -> Change:
    """A new key below the deepest part of its path that is there; the parts between become maps."""
    parts = override.key.split(".")
    node: Any = data
    path: Path = ()
    while len(parts) > 1 and isinstance(node, dict | list):
        step = step_into(node, parts[0])
        if step is None:
            break
        node, path, parts = node[step[0]], path + step, parts[1:]
    if isinstance(node, list):
        if parts[0] != str(len(node)):
            raise NotFoundError(
                f"could not add '{override.key}': '{'.'.join(map(str, path))}' in '{file}' is a list of {len(node)}",
                hint=f"its next index is {len(node)}",
            )
        path, parts = (*path, len(node)), parts[1:]
    elif isinstance(node, dict):
        path, parts = (*path, parts[0]), parts[1:]
    elif node is not None and override.operation is Operation.ADD:
        raise ConflictError(
            f"could not add '{override.key}': '{'.'.join(map(str, path))}' in '{file}' is a single value, not a map",
            hint=f"to replace it by a map: --set-param '{_prefixed(override, '++')}'",
        )
    for part in reversed(parts):
        value = {part: value}
    return Put(path=path, value=value)


def _deletion(data: Any, path: Path | None, override: Override, file: str) -> Change:
    if path is None:
        raise _unknown("delete", override, override.key, data, file)
    value = value_at(data, path)
    if override.has_value and value != override.value:
        raise ConflictError(
            f"could not delete '{override.key}': its value in '{file}' is {value!r} and not {override.value!r}",
            hint=f"to delete it whatever its value: --set-param '{_prefixed(override, '').partition('=')[0]}'",
        )
    return Remove(path=path)


def _unknown(verb: str, override: Override, key: str, data: Any, file: str) -> NotFoundError:
    near = " or ".join(f"'{name}'" for name in near_keys(data, key))
    hint = f"did you mean {near}?" if near else None
    if verb == "override":
        add = f"add it: --set-param '{_prefixed(override, '+')}'"
        hint = f"{hint} otherwise {add}" if hint else f"to {add}"
    return NotFoundError(f"could not {verb} '{key}': it is not in '{file}'", hint=hint)


def _without_sign(override: Override) -> str:
    return _prefixed(override, "")


def _prefixed(override: Override, sign: str) -> str:
    """Writes the override again with another sign before its key."""
    file, colon, change = "", "", override.text
    head = override.text.partition("=")[0]
    if ":" in head:
        file, colon, _ = head.rpartition(":")
        change = override.text[len(file) + 1 :]
    # The sign of a deletion is part of what is written in its place: '~key'.
    kept = "~" if override.operation is Operation.DELETE and not sign else sign
    return f"{file}{colon}{kept}{change.lstrip('+~')}"
