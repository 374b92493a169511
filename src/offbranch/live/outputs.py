"""Which files are outputs of the pipeline: it takes care of them, so Live does not."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.plugins import load


def outputs_of(*files: str) -> frozenset[str]:
    """Returns the absolute paths of the outputs, metrics and plots of all stages of some dvc.yaml files.

    Files that are not there, or broken, have none; paths with variables in them are left out.
    """
    return frozenset(path for file in dict.fromkeys(files) for path in _outputs_of_one(file))


def is_output(path: str, outputs: frozenset[str]) -> bool:
    """Tells whether a path is an output, or inside one."""
    place = os.path.abspath(path)
    while place not in outputs:
        above = os.path.dirname(place)
        if above == place:
            return False
        place = above
    return True


def _outputs_of_one(file: str) -> Iterator[str]:
    try:
        with open(file, encoding="utf-8-sig") as opened:
            document = load("offbranch.base.yaml:load_yaml")(opened.read(), file)
    except (OSError, ValueError, BadInputError):
        return
    stages = document.get("stages") if isinstance(document, dict) else None
    for stage in (stages if isinstance(stages, dict) else {}).values():
        if not isinstance(stage, dict):
            continue
        body = stage.get("do", stage)
        if isinstance(body, dict):
            base = os.path.join(os.path.dirname(os.path.abspath(file)), str(body.get("wdir") or "."))
            yield from (os.path.normpath(os.path.join(base, path)) for path in _written(body))


def _written(stage: Mapping[str, Any]) -> Iterator[str]:
    for section in ("outs", "metrics", "plots"):
        entries = stage.get(section)
        for entry in entries if isinstance(entries, list) else ():
            names = entry if isinstance(entry, dict) else (entry,)
            yield from (name for name in names if isinstance(name, str) and "${" not in name)
