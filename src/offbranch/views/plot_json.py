"""`Plots` as JSON, in the structure that DVC prints, and the names of the image files that it points to."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from offbranch.views.plot import Picture, PlotError, Plots
from offbranch.views.plot_anchors import fill, split

_LONGEST_NAME = 180


def plots_to_json(plots: Plots, urls: Mapping[tuple[str, str], str], *, is_split: bool = False) -> dict[str, Any]:
    """Returns `plots show --json`.

    Args:
        plots: What to print.
        urls: (id, revision) of an image -> where it has been written.
        is_split: Leaves the anchors of data in the specifications, and says beside them what belongs there.
    """
    data: dict[str, list[dict[str, Any]]] = {name: [] for name in plots.names}
    for spec in plots.specs:
        entry: dict[str, Any] = {"type": "vega", "revisions": list(spec.revisions)}
        template = plots.templates[spec.template]
        if is_split:
            entry["content"], entry["anchor_definitions"] = split(template, spec)
        else:
            entry["content"] = fill(template, spec)
        data[spec.id].append(entry)
    for picture in plots.pictures:
        url = urls[picture.id, picture.rev]
        data[picture.id].append({"type": "image", "revisions": [picture.rev], "url": url})
    errors = [_error_to_json(error) for error in plots.errors]
    found: dict[str, Any] = {"errors": errors} if errors else {}
    return {**found, "data": data} if data else found


def dumps(value: Any) -> str:
    """Returns data as JSON; what JSON has no word for (a date) as text."""
    return json.dumps(value, default=str)


def file_names(pictures: tuple[Picture, ...]) -> dict[tuple[str, str], str]:
    """Returns a name for the file of each image: that of DVC, and where two would have the same one, a longer one."""
    names: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for picture in pictures:
        key = (picture.id, picture.rev)
        name = plain_name(f"{picture.rev}_{picture.id}")
        if name.casefold() in taken:
            stem, dot, suffix = name.rpartition(".")
            mark = hashlib.sha256("\0".join(key).encode("utf-8", "surrogateescape")).hexdigest()[:8]
            name = f"{stem}-{mark}{dot}{suffix}"
        taken.add(name.casefold())
        names[key] = name
    return names


def plain_name(text: str) -> str:
    """Returns a text as the name of a file in one directory: no separators, nothing that a system treats specially."""
    name = "".join(char if char.isprintable() and char not in '/\\:*?"<>|' else "_" for char in text)
    if len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        stem, dot, suffix = name.rpartition(".")
        mark = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        name = f"{stem[:60]}-{mark}{dot}{suffix[:20]}"
    return name if name.strip(".") else f"_{name}"


def _error_to_json(error: PlotError) -> dict[str, Any]:
    found = {"name": error.name, "rev": error.rev, "source": error.source, "type": error.kind, "msg": error.message}
    return {key: value for key, value in found.items() if value is not None}
