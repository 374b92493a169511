"""`Plots` as one HTML page that needs nothing else: scripts and images are inside, and it asks no server for anything.

The scripts are Vega, Vega-Lite and Vega-Embed, as published, in `vega/` beside this module (see
docs/decisions/0024-drawing-plots.md).
Names of files and revisions, and what is in the data, are somebody else's text: it is escaped wherever it stands.
"""

import base64
import html
import os
import re
from collections.abc import Iterator

from offbranch.base.errors import BadInputError
from offbranch.views.plot import Picture, PlotError, Plots, PlotSpec
from offbranch.views.plot_anchors import fill
from offbranch.views.plot_data import PICTURES, suffix_of
from offbranch.views.plot_json import dumps

SCRIPTS_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vega")
SCRIPTS = ("vega", "vega-lite", "vega-embed")
_MAP_COMMENT = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
# Nothing may be loaded: a template from somebody else's repository could ask for it.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="__POLICY__">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>Plots</title>
{scripts}
<style>
body { font-family: system-ui, sans-serif; margin: 1rem; color: #222; background: #fff; }
.plot { display: inline-block; margin: 0.5rem 1rem 1rem 0; vertical-align: top; max-width: 100%; overflow-x: auto; }
.pictures { border: 1px solid #ccc; margin: 0 0 1rem 0; padding: 0.5rem; overflow-x: auto; white-space: nowrap; }
.pictures h2 { font-size: 1rem; margin: 0 0 0.5rem 0; }
figure { display: inline-block; margin: 0 0.5rem 0 0; text-align: center; vertical-align: top; }
.missing { border-left: 4px solid #f46837; padding: 0.25rem 0.75rem; margin: 0 0 1rem 0; }
</style>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def render_html(plots: Plots, page: str | None = None) -> str:
    """Returns the page.

    Args:
        plots: What it shows.
        page: Instead of ours: a page with `{plot_divs}`, and perhaps `{scripts}` and `{refresh_tag}`; the rest stays as it is.
    """
    parts = {"{plot_divs}": "\n".join(_divs(plots)), "{scripts}": _scripts(), "{refresh_tag}": ""}
    text = _PAGE.replace("__POLICY__", html.escape(_POLICY)) if page is None else page
    # In one pass: a name in the data may look like a place of the page.
    return re.sub(r"\{plot_divs\}|\{scripts\}|\{refresh_tag\}", lambda match: parts[match[0]], text)


def render_frame(plots: Plots) -> str:
    """Returns the page as a frame that a notebook can show among its cells."""
    page = html.escape(render_html(plots))
    height = min(900, 80 + 400 * len(plots.names))
    return f'<iframe srcdoc="{page}" style="width:100%;height:{height}px;border:0" sandbox="allow-scripts"></iframe>'


def check_page(page: str, path: str) -> None:
    """Makes sure that a page of the user has a place for plots.

    Raises:
        BadInputError: It has none.
    """
    if "{plot_divs}" not in page:
        raise BadInputError(
            "a page for plots has '{plot_divs}' where they belong", path=path, hint="'{scripts}' belongs before it"
        )


def script_json(value: object) -> str:
    """Returns data as JSON that may stand in a script of a page, whatever texts it holds."""
    text = dumps(value)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _scripts() -> str:
    found = []
    for name in SCRIPTS:
        with open(os.path.join(SCRIPTS_DIR, f"{name}.min.js"), encoding="utf-8") as file:
            found.append(f"<script>{_MAP_COMMENT.sub('', file.read()).strip()}</script>")
    return "\n".join(found)


def _divs(plots: Plots) -> Iterator[str]:
    if plots.errors:
        yield _missing(plots.errors)
    taken: set[str] = set()
    specs = {spec.id: spec for spec in plots.specs}
    pictures: dict[str, list[Picture]] = {}
    for picture in plots.pictures:
        pictures.setdefault(picture.id, []).append(picture)
    for name in plots.names:
        if name in specs:
            yield _plot(specs[name], plots, _element_id(name, taken))
        if name in pictures:
            yield _pictures(name, pictures[name], _element_id(name, taken))


def _element_id(name: str, taken: set[str]) -> str:
    """Returns a name for an element; two plots never have the same one."""
    plain = re.sub(r"[^0-9A-Za-z]", "_", name)
    id, n = plain, 1
    while id in taken:
        n += 1
        id = f"{plain}-{n}"
    taken.add(id)
    return id


def _plot(spec: PlotSpec, plots: Plots, id: str) -> str:
    content = fill(plots.templates[spec.template], spec)
    schema = str(content.get("$schema", ""))
    mode = "vega" if "/vega/" in schema else "vega-lite"
    if mode == "vega-lite":
        # Later versions read what was written for earlier ones, but would complain about the number.
        content = {key: value for key, value in content.items() if key != "$schema"}
    # In our page the element of an id that begins with a digit is found, too: by attribute.
    return (
        f'<div class="plot"><div id="{id}"></div>\n<script>\n'
        f"vegaEmbed('[id=\"{id}\"]', {script_json(content)}, {{mode: '{mode}'}})"
        ".catch(function (error) { console.error(error); });\n"
        "</script></div>"
    )


def _pictures(name: str, pictures: list[Picture], id: str) -> str:
    figures = "\n".join(
        f'<figure><figcaption>{html.escape(each.rev)}</figcaption><img src="{_data_url(each)}" '
        f'alt="{html.escape(f"{name} of {each.rev}")}"></figure>'
        for each in pictures
    )
    return f'<section class="pictures" id="{id}"><h2>{html.escape(name)}</h2>\n{figures}\n</section>'


def _data_url(picture: Picture) -> str:
    kind = PICTURES[suffix_of(picture.path)]
    return f"data:{kind};base64,{base64.b64encode(picture.content).decode()}"


def _missing(errors: tuple[PlotError, ...]) -> str:
    lines = "\n".join(f"<li>{html.escape(error_line(error))}</li>" for error in errors)
    return f'<div class="missing"><p>Not shown:</p>\n<ul>\n{lines}\n</ul></div>'


def error_line(error: PlotError) -> str:
    """Returns an error as one line of text."""
    return f"{f'{error.name}: ' if error.name else ''}{error.message} (in {error.rev})"
