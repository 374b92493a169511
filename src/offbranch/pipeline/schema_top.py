"""The shape of what stands at the top of a dvc.yaml beside its stages: plots, datasets, artifacts."""

from typing import Any

from offbranch.pipeline.schema_faults import Fault, Key, expected, text_fault, texts_fault, unknown_key

TOP_PLOT_OPTIONS = ("x", "y", "x_label", "y_label", "title", "template")
ARTIFACT_KEYS = ("path", "desc", "type", "labels", "meta")


def plots_fault(value: Any, key: Key) -> Fault | None:
    """Checks `plots` at the top of a dvc.yaml."""
    if not isinstance(value, list):
        return expected("a list of plots", value, key)
    for position, item in enumerate(value):
        if isinstance(item, str):
            continue
        if not isinstance(item, dict):
            return expected("a path, or a name with options", item, (*key, position))
        for name, options in item.items():
            place: Key = (*key, position, name)
            if options is None:
                continue
            if not isinstance(options, dict):
                return expected("a mapping of options", options, place)
            if (fault := unknown_key(options, TOP_PLOT_OPTIONS, place)) is not None:
                return fault
            for option, given in options.items():
                check = _plot_columns if option in ("x", "y") else text_fault
                if (fault := check(given, (*place, option))) is not None:
                    return fault
    return None


def datasets_fault(value: Any, key: Key) -> Fault | None:
    """Checks `datasets` at the top of a dvc.yaml."""
    if not isinstance(value, list):
        return expected("a list of datasets", value, key)
    for position, item in enumerate(value):
        place: Key = (*key, position)
        if not isinstance(item, dict):
            return expected("a mapping with 'name' and 'type'", item, place)
        for part in ("name", "type", "url", "path", "rev"):
            if part in item and (fault := text_fault(item[part], (*place, part))) is not None:
                return fault
        if not item.get("name"):
            return Fault(key=place, reason="'name' is missing", hint="a stage names it as 'ds://<name>' in its deps")
    return None


def artifacts_fault(value: Any, key: Key) -> Fault | None:
    """Checks `artifacts` at the top of a dvc.yaml."""
    if not isinstance(value, dict):
        return expected("a mapping of names", value, key)
    for name, artifact in value.items():
        place: Key = (*key, name)
        if not isinstance(artifact, dict):
            return expected("a mapping with at least 'path'", artifact, place)
        if (fault := unknown_key(artifact, ARTIFACT_KEYS, place)) is not None:
            return fault
        if "path" not in artifact:
            return Fault(key=place, reason="'path' is missing")
        for part, check in (("path", text_fault), ("desc", text_fault), ("type", text_fault), ("labels", texts_fault)):
            if part in artifact and (fault := check(artifact[part], (*place, part))) is not None:
                return fault
    return None


def _plot_columns(value: Any, key: Key) -> Fault | None:
    """Checks an axis of a top-level plot: a column, columns, or (by file) a column or columns."""
    if isinstance(value, dict):
        for file, columns in value.items():
            if not isinstance(file, str):
                return expected("the name of a file", file, key)
            if (fault := _columns(columns, (*key, file))) is not None:
                return fault
        return None
    return _columns(value, key)


def _columns(value: Any, key: Key) -> Fault | None:
    if isinstance(value, list):
        return texts_fault(value, key)
    return None if isinstance(value, str) else expected("a column or a list of columns", value, key)
