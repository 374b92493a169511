"""Plots as SVG or PNG, by vl-convert: Vega-Lite in a JavaScript engine of its own, without a browser or a network.

See docs/decisions/0024-drawing-plots.md.
"""

import re
from enum import Enum
from typing import Any

import vl_convert

from offbranch.base.errors import OffbranchError

_VERSION = "6.4"
_SCALE = 2.0
_PLACES = re.compile(r"\s+at \S+ \(|\s+at https?:")


class ImageKind(Enum):
    """A format of images."""

    SVG = "svg"
    PNG = "png"


def draw_image(content: dict[str, Any], kind: ImageKind, *, name: str) -> bytes:
    """Returns a specification as an image; nothing it names is loaded from anywhere.

    Raises:
        OffbranchError: It cannot be drawn.
    """
    language = "vega" if "/vega/" in str(content.get("$schema", "")) else "vegalite"
    more: dict[str, Any] = {"allowed_base_urls": []}
    if language == "vegalite":
        more["vl_version"] = _VERSION
    if kind is ImageKind.PNG:
        more["scale"] = _SCALE
    draw: Any = getattr(vl_convert, f"{language}_to_{kind.value}")
    try:
        drawn = draw(content, **more)
        return drawn.encode() if isinstance(drawn, str) else bytes(drawn)
    except ValueError as error:
        # Where in its own scripts it was is no help to anybody.
        reason = " ".join(_PLACES.split(str(error), maxsplit=1)[0].split())[:300]
        raise OffbranchError(
            f"'{name}' cannot be drawn: {reason}", hint="is its template one of Vega-Lite? ob plots templates"
        ) from error
