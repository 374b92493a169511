"""The shape of .dvc documents: what may stand where. Hand-written, as `schema.py` is, which has that of dvc.yaml."""

from typing import Any

from offbranch.pipeline.schema_faults import (
    Fault,
    as_error,
    boolean_fault,
    expected,
    list_fault,
    nul_fault,
    text_fault,
    unknown_key,
)
from offbranch.storage.objects import is_object_id

DATA_KEYS = ("desc", "md5", "cmd", "wdir", "frozen", "deps", "outs", "always_changed", "meta")


def check_data_file(document: Any, *, text: str, path: str) -> None:
    """Checks the document of a .dvc file.

    Raises:
        BadInputError: Names the first fault with its line.
    """
    if (fault := _data_file(document) or nul_fault(document, text)) is not None:
        raise as_error(fault, text=text, path=path)


def _data_file(document: Any) -> Fault | None:
    if not isinstance(document, dict):
        return expected("a mapping with 'outs'", document, ())
    if (fault := unknown_key(document, DATA_KEYS, ())) is not None:
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
                return expected("a mapping with 'path'", item, (section, position))
            if section == "outs" and not isinstance(item.get("path"), str):
                return Fault(key=(section, position), reason="'path' is missing, or is no text")
            for name in ("md5", "hash", "path"):
                if name in item and not isinstance(item[name], str):
                    return expected("text", item[name], (section, position, name))
            if "md5" in item and not is_object_id(item["md5"]):
                # It becomes part of a path in the cache and at remotes, and may come from a stranger's repository.
                reason = f"{item['md5']!a} is not an md5 of 32 hex digits"
                hint = "restore the file from Git, or make it again with 'ob add' or 'ob commit'"
                return Fault(key=(section, position, "md5"), reason=reason, hint=hint)
            if "remote" in item and not isinstance(item["remote"], str):
                return expected("the name of a data remote", item["remote"], (section, position, "remote"))
            for name in ("cache", "persist", "push"):
                if name in item and not isinstance(item[name], bool):
                    return expected("true or false", item[name], (section, position, name))
    return None


_DATA_CHECKS = (
    ("wdir", text_fault), ("desc", text_fault), ("md5", text_fault), ("frozen", boolean_fault),
    ("always_changed", boolean_fault), ("deps", list_fault), ("outs", list_fault),
)  # fmt: skip
