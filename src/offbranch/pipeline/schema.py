"""The shape of dvc.yaml and .dvc documents: what may stand where, before any `${}` is filled in.

Hand-written, because that costs no import and names every fault by its place. A check returns at the first fault; the
line is only looked for (by parsing again) once there is one.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from offbranch.base.errors import BadInputError, did_you_mean
from offbranch.base.records import record
from offbranch.base.yaml import line_of
from offbranch.storage.objects import is_object_id

Key = tuple[str | int, ...]

TOP_KEYS = ("stages", "vars", "params", "metrics", "plots", "artifacts", "datasets")
STAGE_KEYS = (
    "cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "vars", "frozen", "always_changed", "desc", "meta",
    "matrix",
)  # fmt: skip
OUT_OPTIONS = ("cache", "persist", "remote", "push", "desc", "type", "labels", "meta", "checkpoint")
PLOT_OPTIONS = ("template", "x", "y", "x_label", "y_label", "title", "header")
TOP_PLOT_OPTIONS = ("x", "y", "x_label", "y_label", "title", "template")
ARTIFACT_KEYS = ("path", "desc", "type", "labels", "meta")
DATA_KEYS = ("desc", "md5", "cmd", "wdir", "frozen", "deps", "outs", "always_changed", "meta")
_NUL_ESCAPE = re.compile(r"\\(?:0|x00|u0000|U00000000)")
_BOOLEAN_OPTIONS = frozenset(("cache", "persist", "push", "checkpoint", "header"))
_TEXT_OPTIONS = frozenset(("remote", "desc", "type", "template", "x", "y", "x_label", "y_label", "title"))


@record
class Fault:
    """One thing wrong in a document.

    Attributes:
        key: Where, as map keys and list positions.
        reason: What, for the user.
        hint: The way out, where there is one to tell.
    """

    key: Key
    reason: str
    hint: str | None = None


def check_pipeline(document: Any, *, text: str, path: str) -> None:
    """Checks the document of a dvc.yaml.

    Raises:
        BadInputError: Names the first fault with its line.
    """
    if (fault := find_fault(document) or _nul_fault(document, text)) is not None:
        raise as_error(fault, text=text, path=path)


def check_data_file(document: Any, *, text: str, path: str) -> None:
    """Checks the document of a .dvc file.

    Raises:
        BadInputError: Names the first fault with its line.
    """
    if (fault := _data_file(document) or _nul_fault(document, text)) is not None:
        raise as_error(fault, text=text, path=path)


def as_error(fault: Fault, *, text: str, path: str) -> BadInputError:
    """Returns a fault as the error to raise, with line and column."""
    place = line_of(text, fault.key) if fault.key else None
    return BadInputError(
        fault.reason,
        path=path,
        line=place[0] if place else None,
        column=place[1] if place else None,
        key=key_text(fault.key) or None,
        hint=fault.hint,
    )


def key_text(key: Key) -> str:
    """Returns a place in a document as text: `stages.train.outs[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")


def find_fault(document: Any) -> Fault | None:
    """Returns the first fault of a dvc.yaml document, None when it is well-formed."""
    if not document:
        return None if document is None or document == {} else _expected("a mapping of keys", document, ())
    if not isinstance(document, dict):
        return _expected("a mapping of keys", document, ())
    fault = _unknown_key(document, TOP_KEYS, ())
    if fault is None and "stages" in document:
        fault = _stages(document["stages"])
    if fault is not None:
        return fault
    for name, check in _TOP_CHECKS:
        if name in document and (fault := check(document[name], (name,))) is not None:
            return fault
    return None


def kind_of(value: Any) -> str:
    """Returns what a value is, in words for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{value if len(value) <= 40 else value[:37] + '...'}'"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def _stages(stages: Any) -> Fault | None:
    if not isinstance(stages, dict):
        return _expected("a mapping of stage names", stages, ("stages",))
    for name, definition in stages.items():
        if not isinstance(name, str) or not name:
            return Fault(
                key=("stages", name), reason=f"a stage name is a text, not {kind_of(name)}", hint="put it in quotes"
            )
        if (fault := _entry(definition, ("stages", name))) is not None:
            return fault
    return None


def _entry(definition: Any, key: Key) -> Fault | None:
    if not isinstance(definition, dict):
        return _expected("a mapping with at least 'cmd'", definition, key)
    if "foreach" not in definition and "do" not in definition:
        return _stage(definition, key)
    for required in ("foreach", "do"):
        if required not in definition:
            return Fault(key=key, reason=f"'foreach' and 'do' belong together, '{required}' is missing")
    if (fault := _unknown_key(definition, ("foreach", "do"), key)) is not None:
        hint = "put the keys of the stage below 'do'" if fault.key[-1] in STAGE_KEYS[:-1] else fault.hint
        if fault.key[-1] == "matrix":
            hint = "a group is made by 'foreach' or by 'matrix', not by both"
        return Fault(key=fault.key, reason=fault.reason, hint=hint)
    if not isinstance(definition["foreach"], list | dict | str):
        return _expected("a list, a mapping or '${...}'", definition["foreach"], (*key, "foreach"))
    if not isinstance(definition["do"], dict):
        return _expected("a mapping with at least 'cmd'", definition["do"], (*key, "do"))
    return _stage(definition["do"], (*key, "do"), known=STAGE_KEYS[:-1])


def _stage(stage: dict[Any, Any], key: Key, known: tuple[str, ...] = STAGE_KEYS) -> Fault | None:
    if not _STAGE_CHECKS.keys() >= stage.keys() and (fault := _unknown_key(stage, known, key)) is not None:
        return fault
    if "cmd" not in stage:
        return Fault(key=key, reason="'cmd' is missing", hint="write the command of the stage as 'cmd: ...'")
    for name, value in stage.items():
        if (fault := _STAGE_CHECKS[name](value, (*key, name))) is not None:
            return fault
    if "matrix" in stage and known is not STAGE_KEYS:
        return Fault(key=(*key, "matrix"), reason="'matrix' is not allowed inside 'do'")
    return None


def _command(value: Any, key: Key) -> Fault | None:
    items = value if isinstance(value, list) else [value]
    if not items or (value and isinstance(value, str) and not value.strip()) or value == "":
        return Fault(key=key, reason="the command is empty", hint="write what to run, or remove the stage")
    for position, item in enumerate(items):
        place = (*key, position) if isinstance(value, list) else key
        if not isinstance(item, str):
            return _expected("text or a list of texts", item, place)
        if not item.strip():
            return Fault(key=place, reason="the command is empty", hint="write what to run, or remove the line")
    return None


def _text(value: Any, key: Key) -> Fault | None:
    return None if isinstance(value, str) else _expected("text", value, key)


def _boolean(value: Any, key: Key) -> Fault | None:
    return None if isinstance(value, bool) else _expected("true or false", value, key)


def _anything(_value: Any, _key: Key) -> Fault | None:
    return None


def _texts(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, list):
        return _expected("a list of texts", value, key)
    for position, item in enumerate(value):
        if not isinstance(item, str):
            return _expected("text", item, (*key, position))
        if not item:
            return Fault(key=(*key, position), reason="a path is empty")
    return None


def _vars(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, list):
        return _expected("a list of files and mappings", value, key)
    for position, item in enumerate(value):
        if not isinstance(item, str | dict):
            return _expected("a file or a mapping", item, (*key, position))
    return None


def _params(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, list):
        return _expected("a list of keys and files", value, key)
    for position, item in enumerate(value):
        place = (*key, position)
        if isinstance(item, str):
            if not item:
                return Fault(key=place, reason="a parameter key is empty")
        elif isinstance(item, dict):
            for file, keys in item.items():
                if not isinstance(file, str):
                    return _expected("the name of a file", file, place)
                if keys is not None and (fault := _texts(keys, (*place, file))) is not None:
                    return fault
        else:
            return _expected("a key, or a file with keys", item, place)
    return None


def _outs(value: Any, key: Key) -> Fault | None:
    return _items(value, key, OUT_OPTIONS, plots=False)


def _plots(value: Any, key: Key) -> Fault | None:
    return _items(value, key, OUT_OPTIONS + PLOT_OPTIONS, plots=True)


def _items(value: Any, key: Key, known: tuple[str, ...], *, plots: bool) -> Fault | None:
    if not isinstance(value, list):
        return _expected("a list of paths", value, key)
    for position, item in enumerate(value):
        if isinstance(item, str):
            if not item:
                return Fault(key=(*key, position), reason="a path is empty")
            continue
        if not isinstance(item, dict):
            return _expected("a path, or a path with options", item, (*key, position))
        for path, options in item.items():
            place: Key = (*key, position, path)
            if not isinstance(path, str):
                return _expected("a path", path, (*key, position))
            if plots and isinstance(options, list):
                for n, each in enumerate(options):
                    if (fault := _options(each, (*place, n), known)) is not None:
                        return fault
            elif (fault := _options(options, place, known)) is not None:
                return fault
    return None


def _options(options: Any, key: Key, known: tuple[str, ...]) -> Fault | None:
    if not isinstance(options, dict):
        hint = "write the path alone, without ':'" if options is None else None
        return Fault(key=key, reason=f"expected a mapping of options, found {kind_of(options)}", hint=hint)
    if (fault := _unknown_key(options, known, key)) is not None:
        return fault
    for name, value in options.items():
        place = (*key, name)
        if name in _BOOLEAN_OPTIONS:
            fault = _boolean(value, place)
        elif name in _TEXT_OPTIONS:
            fault = _text(value, place)
        elif name == "labels":
            fault = _texts(value, place)
        if fault is not None:
            return fault
    return None


def _matrix(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, dict):
        return _expected("a mapping of axes to lists", value, key)
    if not value:
        return Fault(key=key, reason="the matrix has no axes", hint="write an axis as 'name: [value, ...]'")
    for axis, values in value.items():
        if not isinstance(axis, str):
            return _expected("the name of an axis", axis, key)
        if not isinstance(values, list | str):
            return _expected("a list or '${...}'", values, (*key, axis))
    return None


def _top_plots(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, list):
        return _expected("a list of plots", value, key)
    for position, item in enumerate(value):
        if isinstance(item, str):
            continue
        if not isinstance(item, dict):
            return _expected("a path, or a name with options", item, (*key, position))
        for name, options in item.items():
            place: Key = (*key, position, name)
            if options is None:
                continue
            if not isinstance(options, dict):
                return _expected("a mapping of options", options, place)
            if (fault := _unknown_key(options, TOP_PLOT_OPTIONS, place)) is not None:
                return fault
            for option, given in options.items():
                check = _plot_columns if option in ("x", "y") else _text
                if (fault := check(given, (*place, option))) is not None:
                    return fault
    return None


def _plot_columns(value: Any, key: Key) -> Fault | None:
    """Checks an axis of a top-level plot: a column, columns, or (by file) a column or columns."""
    if isinstance(value, dict):
        for file, columns in value.items():
            if not isinstance(file, str):
                return _expected("the name of a file", file, key)
            if (fault := _columns(columns, (*key, file))) is not None:
                return fault
        return None
    return _columns(value, key)


def _columns(value: Any, key: Key) -> Fault | None:
    if isinstance(value, list):
        return _texts(value, key)
    return None if isinstance(value, str) else _expected("a column or a list of columns", value, key)


def _datasets(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, list):
        return _expected("a list of datasets", value, key)
    for position, item in enumerate(value):
        place: Key = (*key, position)
        if not isinstance(item, dict):
            return _expected("a mapping with 'name' and 'type'", item, place)
        for part in ("name", "type", "url", "path", "rev"):
            if part in item and (fault := _text(item[part], (*place, part))) is not None:
                return fault
        if not item.get("name"):
            return Fault(key=place, reason="'name' is missing", hint="a stage names it as 'ds://<name>' in its deps")
    return None


def _artifacts(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, dict):
        return _expected("a mapping of names", value, key)
    for name, artifact in value.items():
        place: Key = (*key, name)
        if not isinstance(artifact, dict):
            return _expected("a mapping with at least 'path'", artifact, place)
        if (fault := _unknown_key(artifact, ARTIFACT_KEYS, place)) is not None:
            return fault
        if "path" not in artifact:
            return Fault(key=place, reason="'path' is missing")
        for part, check in (("path", _text), ("desc", _text), ("type", _text), ("labels", _texts)):
            if part in artifact and (fault := check(artifact[part], (*place, part))) is not None:
                return fault
    return None


def _list(value: Any, key: Key) -> Fault | None:
    return None if isinstance(value, list) else _expected("a list", value, key)


def _data_file(document: Any) -> Fault | None:
    if not isinstance(document, dict):
        return _expected("a mapping with 'outs'", document, ())
    if (fault := _unknown_key(document, DATA_KEYS, ())) is not None:
        return fault
    if "cmd" in document:
        return Fault(
            key=("cmd",), reason="a command in a .dvc file is not supported", hint="define the stage in dvc.yaml"
        )
    for name, check in _DATA_CHECKS:
        if name in document and (fault := check(document[name], (name,))) is not None:
            return fault
    for section in ("deps", "outs"):
        for position, item in enumerate(document.get(section) or ()):
            if not isinstance(item, dict):
                return _expected("a mapping with 'path'", item, (section, position))
            if section == "outs" and not isinstance(item.get("path"), str):
                return Fault(key=(section, position), reason="'path' is missing, or is no text")
            for name in ("md5", "hash", "path"):
                if name in item and not isinstance(item[name], str):
                    return _expected("text", item[name], (section, position, name))
            if "md5" in item and not is_object_id(item["md5"]):
                # It becomes part of a path in the cache and at remotes, and may come from a stranger's repository.
                reason = f"{item['md5']!a} is not an md5 of 32 hex digits"
                hint = "restore the file from Git, or make it again with 'ob add' or 'ob commit'"
                return Fault(key=(section, position, "md5"), reason=reason, hint=hint)
            if "remote" in item and not isinstance(item["remote"], str):
                return _expected("the name of a data remote", item["remote"], (section, position, "remote"))
            for name in ("cache", "persist", "push"):
                if name in item and not isinstance(item[name], bool):
                    return _expected("true or false", item[name], (section, position, name))
    return None


def _nul_fault(document: Any, text: str) -> Fault | None:
    if _NUL_ESCAPE.search(text) is None or (key := _find_nul(document)) is None:
        return None
    return Fault(key=key, reason="it holds the character NUL, which no path and no command may")


def _find_nul(value: Any, key: Key = ()) -> Key | None:
    """Returns where a text holds the character NUL (an escape, in YAML): no path and no command may."""
    if isinstance(value, str):
        return key if "\0" in value else None
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        if isinstance(name, str) and "\0" in name:
            return key
        if (found := _find_nul(child, (*key, name))) is not None:
            return found
    return None


def _expected(wanted: str, found: Any, key: Key) -> Fault:
    return Fault(key=key, reason=f"expected {wanted}, found {kind_of(found)}")


def _unknown_key(mapping: Mapping[Any, Any], known: Collection[str], key: Key) -> Fault | None:
    for name in mapping:
        if name in known:
            continue
        if name == "live":
            hint: str | None = "DVC 3 has no 'live' any more: list the files under 'metrics' and 'plots'"
        else:
            hint = did_you_mean(str(name), known) or f"allowed here: {', '.join(sorted(known))}"
        return Fault(key=(*key, name), reason="unknown key", hint=hint)
    return None


_STAGE_CHECKS = {
    "cmd": _command, "wdir": _text, "deps": _texts, "params": _params, "outs": _outs, "metrics": _outs,
    "plots": _plots, "vars": _vars, "frozen": _boolean, "always_changed": _boolean, "desc": _text,
    "meta": _anything, "matrix": _matrix,
}  # fmt: skip
_TOP_CHECKS = (
    ("vars", _vars), ("params", _texts), ("metrics", _texts), ("plots", _top_plots), ("artifacts", _artifacts),
    ("datasets", _datasets),
)  # fmt: skip
_DATA_CHECKS = (
    ("wdir", _text), ("desc", _text), ("md5", _text), ("frozen", _boolean), ("always_changed", _boolean),
    ("deps", _list), ("outs", _list),
)  # fmt: skip
