"""Changing a dvc.yaml for the user: adding a stage, setting one key of a stage.

The text is changed in place, so comments, quotes, order and indentation of the rest stay as they are. What was meant is
then checked against what the new text says; a file in an unusual style goes through a round trip of ruamel.yaml.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from offbranch.base.errors import ConflictError, NotFoundError, OffbranchError, did_you_mean
from offbranch.base.plugins import load
from offbranch.base.yaml import load_yaml
from offbranch.base.yaml_simple import plain_scalar
from offbranch.pipeline.emit import render

KEY_ORDER = (
    "desc", "cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "frozen", "always_changed", "meta",
)  # fmt: skip
_HEAD = re.compile(r"^( +)('[^'\n]*'|[^\s#'\"&*!|>\-][^:\n]*?) *:(?= |$)", re.MULTILINE)


def add_stage_text(old: str | None, name: str, definition: Mapping[str, Any], *, force: bool = False) -> str:
    """Returns the text of a dvc.yaml with one more stage, at the end of `stages`.

    Args:
        old: The present text; None when there is no file.
        name: The stage.
        definition: Its keys, in any order; written in the usual one.
        force: Replace a stage of the same name, in its place.

    Raises:
        ConflictError: There is such a stage already and `force` is off.
        BadInputError: The present text is not YAML.
    """
    ordered = {key: definition[key] for key in (*KEY_ORDER, *definition) if key in definition}
    block = render({name: ordered}, indent=2)
    document = load_yaml(old, "dvc.yaml") if old is not None else None
    if old is None or document is None:
        return f"{_ended(old or '')}stages:\n{block}"
    stages = document.get("stages") or {}
    if name in stages and not force:
        raise ConflictError(
            f"stage '{name}' already exists in 'dvc.yaml'", hint=f"replace it with: ob stage add --force -n {name} ..."
        )
    wanted = {**document, "stages": {**stages, name: ordered}}

    def change(loaded: Any) -> None:
        if not loaded.get("stages"):
            loaded["stages"] = {}
        loaded["stages"][name] = ordered

    return _checked(_with_block(old, name, block, is_empty=not stages), wanted, old, change)


def remove_stage_text(text: str, name: str, *, path: str = "dvc.yaml") -> str | None:
    """Returns the text of a dvc.yaml without a stage or group; None when it would say nothing any more.

    Comments outside of the stage stay, those above it as well.

    Args:
        text: The present text.
        name: The stage or group, as written under `stages`.
        path: The file, for messages.

    Raises:
        NotFoundError: The file has no such stage.
        BadInputError: The text is not YAML.
    """
    document = load_yaml(text, path)
    stages = (document or {}).get("stages") or {}
    if name not in stages:
        raise NotFoundError(f"no stage '{name}' in '{path}'", hint=did_you_mean(name, map(str, stages)))

    def change(loaded: Any) -> None:
        del loaded["stages"][name]
        if not loaded["stages"]:
            del loaded["stages"]

    wanted = _copy(document)
    change(wanted)
    return _checked(_without_block(text, name, is_last=len(stages) == 1), wanted, text, change) if wanted else None


def set_stage_key(text: str, name: str, key: str, value: Any, *, path: str = "dvc.yaml") -> str:
    """Returns the text of a dvc.yaml with one key of a stage set, or (None) removed.

    Args:
        text: The present text.
        name: The stage or group, as written under `stages`; of a group the key is set below `do`.
        key: A key with a scalar value, such as `frozen`.
        value: A scalar; None removes the key.
        path: The file, for messages.

    Raises:
        NotFoundError: The file has no such stage.
        BadInputError: The text is not YAML.
    """
    document = load_yaml(text, path)
    stages = (document or {}).get("stages") or {}
    if name not in stages:
        raise NotFoundError(f"no stage '{name}' in '{path}'", hint=did_you_mean(name, map(str, stages)))
    inside = ("do",) if "foreach" in stages[name] else ()

    def change(loaded: Any) -> None:
        stage = loaded["stages"][name]
        for part in inside:
            stage = stage[part]
        if value is None:
            stage.pop(key, None)
        else:
            stage[key] = value

    wanted = _copy(document)
    change(wanted)
    return text if wanted == document else _checked(_with_key(text, name, inside, key, value), wanted, text, change)


def _checked(new: str | None, wanted: Any, old: str, change: Callable[[Any], None]) -> str:
    """Returns the edited text if it says what was meant, and otherwise the change made by a round trip."""
    if new is not None:
        try:
            if load_yaml(new, "dvc.yaml") == wanted:
                return new
        except OffbranchError:
            pass
    edited: str = load("offbranch.base.yaml_ruamel:edit")(old, change)
    return edited


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(child) for key, child in value.items()}
    return [_copy(child) for child in value] if isinstance(value, list) else value


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _section(text: str, start: int) -> int:
    """Returns where a block that begins with the line at `start` ends: before the next line indented as little.

    Comments and blank lines at its end stay outside: they may belong to what follows.
    """
    lines = text[start:].splitlines(keepends=True)
    indent = len(lines[0]) - len(lines[0].lstrip(" "))
    at = end = start + len(lines[0])
    for line in lines[1:]:
        at += len(line)
        content = line.strip()
        if not content or content[0] == "#":
            continue
        depth = len(line) - len(line.lstrip(" "))
        if depth < indent or (depth == indent and not content.startswith("- ")):
            break
        end = at
    return end


def _stages_line(text: str) -> re.Match[str] | None:
    return re.search(r"^stages:[ ]*(\{\}|null|~)?[ ]*(#.*)?$", text, re.MULTILINE)


def _with_block(old: str, name: str, block: str, *, is_empty: bool) -> str | None:
    text = _ended(old)
    line = _stages_line(text)
    if line is None:
        return f"{text}stages:\n{block}" if not re.search("^ *['\"]?stages", text, re.MULTILINE) else None
    if is_empty:
        return f"{text[: line.start()]}stages:\n{block}{text[line.end() + 1 :]}"
    heads = _heads(text, line.end() + 1, _section(text, line.start()))
    if not heads:
        return None
    shift = " " * (len(next(iter(heads.values()))[1]) - 2)
    block = "".join(shift + row for row in block.splitlines(keepends=True))
    if name in heads:
        start = heads[name][0]
        return text[:start] + block + text[_section(text, start) :]
    end = _section(text, line.start())
    # Entries set apart by blank lines stay so.
    gap = "\n" if len(heads) > 1 and _is_spaced(text, [start for start, _ in heads.values()]) else ""
    return text[:end] + gap + block + text[end:]


def _without_block(text: str, name: str, *, is_last: bool) -> str | None:
    text = _ended(text)
    line = _stages_line(text)
    if line is None:
        return None
    section = _section(text, line.start())
    if is_last:
        return text[: line.start()] + text[section:]
    heads = _heads(text, line.end() + 1, section)
    if name not in heads:
        return None
    start = heads[name][0]
    end = _section(text, start)
    if _is_spaced(text, [place for place, _ in heads.values()]) and text[end : end + 1] == "\n":
        end += 1  # the blank line that set it apart
    return text[:start] + text[end:]


def _is_spaced(text: str, starts: list[int]) -> bool:
    return all(text[:start].endswith("\n\n") for start in starts[1:])


def _heads(text: str, start: int, end: int) -> dict[str, tuple[int, str]]:
    """Returns name -> (place of its line, indentation) of the entries of a block mapping."""
    heads: dict[str, tuple[int, str]] = {}
    indent: str | None = None
    for match in _HEAD.finditer(text, start, end):
        if indent is None:
            indent = match[1]
        if match[1] == indent:
            written = match[2]
            name = written[1:-1] if written[0] == "'" else str(plain_scalar(written))
            heads.setdefault(name, (match.start(), indent))
    return heads


def _with_key(text: str, name: str, inside: tuple[str, ...], key: str, value: Any) -> str | None:
    text = _ended(text)
    line = _stages_line(text)
    if line is None:
        return None
    start, end = line.end() + 1, _section(text, line.start())
    for part in (name, *inside):
        heads = _heads(text, start, end)
        if part not in heads:
            return None
        start = heads[part][0]
        end = _section(text, start)
        start = text.index("\n", start) + 1
    keys = _heads(text, start, end)
    if not keys:
        return None
    indent = next(iter(keys.values()))[1]
    row = "" if value is None else indent + render({key: value})
    if key in keys:
        at = keys[key][0]
        return text[:at] + row + text[_section(text, at) :]
    return text[:end] + row + text[end:]
