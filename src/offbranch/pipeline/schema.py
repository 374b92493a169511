"""The shape of dvc.yaml documents: what may stand where, before any `${}` is filled in.

Hand-written, because that costs no import and names every fault by its place. That of .dvc files is in `schema_data.py`.
"""

from typing import Any

from offbranch.pipeline.schema_faults import (
    Fault,
    Key,
    as_error,
    boolean_fault,
    expected,
    kind_of,
    nul_fault,
    text_fault,
    texts_fault,
    unknown_key,
)
from offbranch.pipeline.schema_top import artifacts_fault, datasets_fault, plots_fault

TOP_KEYS = ("stages", "vars", "params", "metrics", "plots", "artifacts", "datasets")
STAGE_KEYS = (
    "cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "vars", "frozen", "always_changed", "desc", "meta",
    "matrix",
)  # fmt: skip
OUT_OPTIONS = ("cache", "persist", "remote", "push", "desc", "type", "labels", "meta", "checkpoint")
PLOT_OPTIONS = ("template", "x", "y", "x_label", "y_label", "title", "header")
_BOOLEAN_OPTIONS = frozenset(("cache", "persist", "push", "checkpoint", "header"))
_TEXT_OPTIONS = frozenset(("remote", "desc", "type", "template", "x", "y", "x_label", "y_label", "title"))


def check_pipeline(document: Any, *, text: str, path: str) -> None:
    """Checks the document of a dvc.yaml.

    Raises:
        BadInputError: Names the first fault with its line.
    """
    if (fault := find_fault(document) or nul_fault(document, text)) is not None:
        raise as_error(fault, text=text, path=path)


def find_fault(document: Any) -> Fault | None:
    """Returns the first fault of a dvc.yaml document, None when it is well-formed."""
    if not document:
        return None if document is None or document == {} else expected("a mapping of keys", document, ())
    if not isinstance(document, dict):
        return expected("a mapping of keys", document, ())
    fault = unknown_key(document, TOP_KEYS, ())
    if fault is None and "stages" in document:
        fault = _stages(document["stages"])
    if fault is not None:
        return fault
    for name, check in _TOP_CHECKS:
        if name in document and (fault := check(document[name], (name,))) is not None:
            return fault
    return None


def _stages(stages: Any) -> Fault | None:
    if not isinstance(stages, dict):
        return expected("a mapping of stage names", stages, ("stages",))
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
        return expected("a mapping with at least 'cmd'", definition, key)
    if "foreach" not in definition and "do" not in definition:
        return _stage(definition, key)
    for required in ("foreach", "do"):
        if required not in definition:
            return Fault(key=key, reason=f"'foreach' and 'do' belong together, '{required}' is missing")
    if (fault := unknown_key(definition, ("foreach", "do"), key)) is not None:
        hint = "put the keys of the stage below 'do'" if fault.key[-1] in STAGE_KEYS[:-1] else fault.hint
        if fault.key[-1] == "matrix":
            hint = "a group is made by 'foreach' or by 'matrix', not by both"
        return Fault(key=fault.key, reason=fault.reason, hint=hint)
    if not isinstance(definition["foreach"], list | dict | str):
        return expected("a list, a mapping or '${...}'", definition["foreach"], (*key, "foreach"))
    if not isinstance(definition["do"], dict):
        return expected("a mapping with at least 'cmd'", definition["do"], (*key, "do"))
    return _stage(definition["do"], (*key, "do"), known=STAGE_KEYS[:-1])


def _stage(stage: dict[Any, Any], key: Key, known: tuple[str, ...] = STAGE_KEYS) -> Fault | None:
    if not _STAGE_CHECKS.keys() >= stage.keys() and (fault := unknown_key(stage, known, key)) is not None:
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
            return expected("text or a list of texts", item, place)
        if not item.strip():
            return Fault(key=place, reason="the command is empty", hint="write what to run, or remove the line")
    return None


def _anything(_value: Any, _key: Key) -> Fault | None:
    return None


def _vars(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, list):
        return expected("a list of files and mappings", value, key)
    for position, item in enumerate(value):
        if not isinstance(item, str | dict):
            return expected("a file or a mapping", item, (*key, position))
    return None


def _params(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, list):
        return expected("a list of keys and files", value, key)
    for position, item in enumerate(value):
        place = (*key, position)
        if isinstance(item, str):
            if not item:
                return Fault(key=place, reason="a parameter key is empty")
        elif isinstance(item, dict):
            for file, keys in item.items():
                if not isinstance(file, str):
                    return expected("the name of a file", file, place)
                if keys is not None and (fault := texts_fault(keys, (*place, file))) is not None:
                    return fault
        else:
            return expected("a key, or a file with keys", item, place)
    return None


def _outs(value: Any, key: Key) -> Fault | None:
    return _items(value, key, OUT_OPTIONS, plots=False)


def _plots(value: Any, key: Key) -> Fault | None:
    return _items(value, key, OUT_OPTIONS + PLOT_OPTIONS, plots=True)


def _items(value: Any, key: Key, known: tuple[str, ...], *, plots: bool) -> Fault | None:
    if not isinstance(value, list):
        return expected("a list of paths", value, key)
    for position, item in enumerate(value):
        if isinstance(item, str):
            if not item:
                return Fault(key=(*key, position), reason="a path is empty")
            continue
        if not isinstance(item, dict):
            return expected("a path, or a path with options", item, (*key, position))
        for path, options in item.items():
            place: Key = (*key, position, path)
            if not isinstance(path, str):
                return expected("a path", path, (*key, position))
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
    if (fault := unknown_key(options, known, key)) is not None:
        return fault
    for name, value in options.items():
        place = (*key, name)
        if name in _BOOLEAN_OPTIONS:
            fault = boolean_fault(value, place)
        elif name in _TEXT_OPTIONS:
            fault = text_fault(value, place)
        elif name == "labels":
            fault = texts_fault(value, place)
        if fault is not None:
            return fault
    return None


def _matrix(value: Any, key: Key) -> Fault | None:
    if not isinstance(value, dict):
        return expected("a mapping of axes to lists", value, key)
    if not value:
        return Fault(key=key, reason="the matrix has no axes", hint="write an axis as 'name: [value, ...]'")
    for axis, values in value.items():
        if not isinstance(axis, str):
            return expected("the name of an axis", axis, key)
        if not isinstance(values, list | str):
            return expected("a list or '${...}'", values, (*key, axis))
    return None


_STAGE_CHECKS = {
    "cmd": _command, "wdir": text_fault, "deps": texts_fault, "params": _params, "outs": _outs, "metrics": _outs,
    "plots": _plots, "vars": _vars, "frozen": boolean_fault, "always_changed": boolean_fault, "desc": text_fault,
    "meta": _anything, "matrix": _matrix,
}  # fmt: skip
_TOP_CHECKS = (
    ("vars", _vars), ("params", texts_fault), ("metrics", texts_fault), ("plots", plots_fault), ("artifacts", artifacts_fault),
    ("datasets", datasets_fault),
)  # fmt: skip
