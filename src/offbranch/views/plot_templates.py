"""Finding templates of plots by name: those of a project, below `.dvc/plots`, before ours; else as a path."""

import json
import os
from collections.abc import Iterator
from typing import Any

from offbranch.base.errors import BadInputError, NotFoundError, did_you_mean
from offbranch.base.files import decode
from offbranch.base.paths import DVC_DIR, AbsPath, join
from offbranch.views.plot_built_in import BUILT_IN, DATA

TEMPLATES_DIR = f"{DVC_DIR}/plots"


def find_template(name: str, *, root: AbsPath, cwd: AbsPath) -> Any:
    """Returns the content of a template.

    Args:
        name: Its name, of the project or one of ours, or a path.
        root: Top of the project.
        cwd: Directory that a path is seen from; then the top of the project.

    Raises:
        NotFoundError: There is none; near names are offered.
        BadInputError: It is no JSON object, or has no place for data.
    """
    for path in _candidates(name, root, cwd):
        if os.path.isfile(path):
            return _read(path, name)
    if name in BUILT_IN:
        return BUILT_IN[name]
    known = template_names(root)
    hint = did_you_mean(name, known) or f"templates: {', '.join(known)}"
    raise NotFoundError(f"there is no template '{name}'", hint=hint)


def template_names(root: AbsPath | None) -> tuple[str, ...]:
    """Returns the names of our templates, then those of a project."""
    own: list[str] = []
    top = None if root is None else join(root, TEMPLATES_DIR)
    for directory, names, files in os.walk(top) if top is not None else ():
        names.sort()
        inside = os.path.relpath(directory, top).replace(os.sep, "/")
        own += [
            (f"{inside}/" if inside != "." else "") + file.removesuffix(".json")
            for file in sorted(files)
            if file.endswith(".json")
        ]
    return (*BUILT_IN, *(name for name in own if name not in BUILT_IN))


def _candidates(name: str, root: AbsPath, cwd: AbsPath) -> Iterator[str]:
    below = join(root, TEMPLATES_DIR)
    for directory in (below, cwd, root):
        if directory != below and name in BUILT_IN:
            return  # a file of the workspace that happens to be called 'simple' is none
        yield os.path.join(directory, name)
        if directory == below:
            yield os.path.join(directory, f"{name}.json")


def _read(path: str, name: str) -> Any:
    with open(path, "rb") as file:
        text = decode(file.read(), name)
    try:
        template = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(getattr(error, "msg", "") or "it is nested too deeply")
        line = getattr(error, "lineno", None)
        raise BadInputError(
            f"the template is not valid JSON: {reason[:1].lower()}{reason[1:]}", path=name, line=line
        ) from error
    if not isinstance(template, dict) or not _has(template, DATA):
        raise BadInputError(
            f"a template is a JSON object with the text \"{DATA}\" where the points belong", path=name,
            hint="ob plots templates simple prints one to start from",
        )  # fmt: skip
    return template


def _has(value: Any, text: str) -> bool:
    if isinstance(value, dict):
        return any(_has(each, text) for each in value.values())
    return any(_has(each, text) for each in value) if isinstance(value, list) else value == text
