"""How Sphinx builds the documentation: `make docs`; pages are Markdown (MyST), those of `reference/` made by `build.py`."""

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_VERSION = re.search(r'^__version__.*"(.+)"$', (_ROOT / "src/offbranch/__init__.py").read_text("utf-8"), re.MULTILINE)

project = "offbranch"
copyright = "the offbranch authors, Apache-2.0"
release = _VERSION[1] if _VERSION else ""
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"offbranch {release}"
html_show_sourcelink = False

# Pages of the reference, the formats and the decisions are reached from their README, not from the side bar.
suppress_warnings = ["toc.not_included"]
