"""Freezing: `frozen:` of a stage or .dvc file, set or removed in the text with everything else left as it is."""

import re
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.plugins import load
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.edit import set_stage_key

_LINE = re.compile(r"^frozen *:.*(\n|\Z)", re.MULTILINE)


def with_frozen_stage(text: str, name: str, *, frozen: bool, path: str) -> str:
    """Returns the text of a dvc.yaml with a stage or group frozen, or not; unchanged if it is so already.

    Raises:
        NotFoundError: The file has no such stage.
        BadInputError: The text is not YAML.
    """
    document = load_yaml(text, path)
    definition = ((document or {}).get("stages") or {}).get(name) or {}
    is_frozen = definition.get("do", definition).get("frozen", False)
    return text if is_frozen == frozen else set_stage_key(text, name, "frozen", frozen or None, path=path)


def with_frozen_data(text: str, *, frozen: bool, path: str) -> str:
    """Returns the text of a .dvc file that is frozen, or not; unchanged if it is so already.

    Raises:
        BadInputError: The text is not YAML.
    """
    document = load_yaml(text, path)
    if document.get("frozen", False) == frozen:
        return text

    def change(loaded: Any) -> None:
        if frozen:
            loaded["frozen"] = True
        else:
            del loaded["frozen"]

    wanted = dict(document)
    change(wanted)
    ended = text if text.endswith("\n") else f"{text}\n"
    without = _LINE.sub("", ended, count=1)
    new = f"{without}frozen: true\n" if frozen else without
    if _says(new, wanted):
        return new
    edited: str = load("offbranch.base.yaml_ruamel:edit")(text, change)
    return edited


def _says(text: str, wanted: Any) -> bool:
    try:
        return bool(load_yaml(text, "") == wanted)
    except OffbranchError:
        return False
