"""The report: parameters, metrics, curves and images, as a page that refreshes itself, as Markdown, or in a notebook.

The page needs neither a network nor a library: curves are drawn as SVG by `live/curves.py`.
"""

import html
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.live.curves import Curve, curves_below, svg_of
from offbranch.live.errors import InvalidReportModeError
from offbranch.live.faults import say
from offbranch.live.formats import replace_file

_STYLE = (
    "body{font:14px system-ui,sans-serif;margin:2em auto;max-width:76em;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:.5em 0}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:right}"
    "th{background:#f4f4f4}.plots{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0}figcaption{text-align:center}"
    "img{max-width:360px;max-height:300px}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
    "th{background:#2a2a2a}td,th{border-color:#555}}"
)


@record
class Story:
    """What a report tells.

    Attributes:
        directory: Of Live: paths in the report are relative to it.
        params, metrics: As they are now; levels become dotted names.
    """

    directory: str
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]


def report_mode(wished: object, *, is_ci: bool) -> str | None:
    """Returns what kind of report there will be: None, `html`, `md` or `notebook`.

    What cannot be made here is a warning, and then there is none.

    Raises:
        InvalidReportModeError: The wish means nothing.
    """
    if wished is None:
        return None
    if wished == "auto":
        wished = "notebook" if in_notebook() else "md" if is_ci and _has("matplotlib") else "html"
    if wished not in ("html", "md", "notebook"):
        raise InvalidReportModeError(wished)
    if wished == "notebook" and not in_notebook():
        say("warning", "Report mode 'notebook' requires to be inside a notebook. Disabling report.")
        return None
    if wished == "md" and not _has("matplotlib"):
        say("warning", "Report mode 'md' requires 'matplotlib' to be installed. Disabling report.")
        return None
    return str(wished)


def write_report(path: str, mode: str, story: Story) -> None:
    """Writes a report, in one step.

    Raises:
        OSError: It cannot be written.
    """
    text = page_of(story) if mode == "html" else markdown_of(story)
    replace_file(path, text.encode())


def page_of(story: Story, *, refreshes: bool = True) -> str:
    """Returns the report as a page of HTML."""
    refresh = '<meta http-equiv="refresh" content="5">' if refreshes else ""
    parts = [
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{refresh}<title>Live report</title>'
        f"<style>{_STYLE}</style></head><body>",
        *(_table(title, values) for title, values in (("Parameters", story.params), ("Metrics", story.metrics))),
        '<div class="plots">',
        *(f"<figure>{svg_of(curve)}</figure>" for curve in curves_below(story.directory)),
        *(
            f'<figure><img src="{quote(image)}" alt=""><figcaption>{html.escape(image)}</figcaption></figure>'
            for image in _images(story.directory)
        ),
        "</div></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def markdown_of(story: Story) -> str:
    """Returns the report as Markdown, and draws its curves into the directory `static` beside it."""
    lines = ["# Live report", ""]
    for title, values in (("Parameters", story.params), ("Metrics", story.metrics)):
        flat = dict(flattened(values))
        if flat:
            lines += [f"## {title}", "", _row(flat), _row(["---"] * len(flat)), _row(flat.values()), ""]
    for curve in curves_below(story.directory):
        image = f"static/{curve.name.replace('/', '_')}.png"
        _draw(curve, os.path.join(story.directory, image))
        lines += [f"![{curve.name}]({quote(image)})", ""]
    lines += [line for image in _images(story.directory) for line in (f"![{image}]({quote(image)})", "")]
    return "\n".join(lines)


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields dotted names and values."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def in_notebook() -> bool:
    """Tells whether this runs in a notebook of Jupyter, or one of its relatives."""
    try:
        shell = load("IPython").get_ipython()
    except ImportError:
        return False
    return shell is not None and (type(shell).__name__ == "ZMQInteractiveShell" or "colab" in type(shell).__module__)


def show_in_notebook(story: Story, shown: Any) -> Any:
    """Shows the report below the cell, in place of an earlier one; returns what it is replaced by next time."""
    page = load("IPython.display:HTML")(page_of(story, refreshes=False))
    if shown is not None:
        shown.update(page)
        return shown
    return load("IPython.display:display")(page, display_id=True)


def open_in_browser(path: str) -> None:
    """Opens a page in the browser of the user."""
    load("webbrowser").open("file://" + quote(os.path.abspath(path)))


def _table(title: str, values: Mapping[str, Any]) -> str:
    flat = dict(flattened(values))
    if not flat:
        return ""
    names = "".join(f"<th>{html.escape(str(name))}</th>" for name in flat)
    cells = "".join(f"<td>{html.escape(_shown(value))}</td>" for value in flat.values())
    return f"<h2>{title}</h2><table><tr>{names}</tr><tr>{cells}</tr></table>"


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _row(cells: Any) -> str:
    return "| " + " | ".join(_shown(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _images(directory: str) -> list[str]:
    found = []
    for place, _, files in os.walk(os.path.join(directory, "plots", "images")):
        paths = (os.path.relpath(os.path.join(place, name), directory) for name in files if ".ob-tmp-" not in name)
        found += [path.replace(os.sep, "/") for path in paths]
    return sorted(found)


def _draw(curve: Curve, path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    figure = load("matplotlib.figure:Figure")(figsize=(5, 3.4), layout="tight")
    axes = figure.add_subplot()
    axes.plot([x for x, _ in curve.points], [y for _, y in curve.points])
    axes.set_xlabel("step")
    axes.set_title(curve.name)
    figure.savefig(path)


def _has(module: str) -> bool:
    try:
        load(module)
    except ImportError:
        return False
    return True
