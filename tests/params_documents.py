"""Generators for property tests: plain data, and YAML texts in many styles of writing."""

import string
from typing import Any

from hypothesis import strategies as st

NASTY = ("", " ", "a: b", "a #b", "#x", "yes", "No", "null", "~", "1e5", "1e-5", "1_000", "0o17", "010", "1:30", ".inf")
NASTY += (
    "-",
    "- a",
    "?",
    "'",
    '"',
    "a'b",
    'a"b',
    "\\",
    "x\ny",
    "\t",
    "é",
    "naïve text",
    " lead",
    "trail ",
    "{a}",
    "[1]",
)
NASTY += (
    "a,b",
    "true",
    "2020-01-01",
    "1.0.0",
    "/data/x",
    "./x",
    "s3://b/k",
    "\x85",
    "\u2028",
    "🙂",
    "&a",
    "*a",
    "!t",
    "%d",
)
NASTY += (
    "key:",
    ":",
    "=",
    "<<",
    "---",
    "...",
    "0x1f",
    "1.",
    "+1",
    "+.5",
    "@x",
    "`x`",
    "|",
    ">",
    "a\r\nb",
    "\x00",
    "\ufeff",
)

texts = st.sampled_from(NASTY) | st.text(st.characters(codec="utf-8"), max_size=12)
floats = st.floats(allow_nan=True, allow_infinity=True)
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | floats | texts
names = st.text(string.ascii_lowercase, min_size=1, max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)

_PLAIN = ("1", "0.5", "1e-3", "abc", "true", "null", "~", "x y", "-3", ".inf", "a-b.c", "0x10", "on", "1_0")
_WRITTEN = (*_PLAIN, "'it''s'", '"a\\tb"', "'q'", '"z"', "[1, 2,  3]", "{a: 1, b: [x]}", "[]", "{}", "[ {a: 1}, 2 ]")
_COMMENTS = ("", "", "", " # note", "   # a: b", "  #")


@st.composite
def yaml_texts(draw: st.DrawFn) -> str:
    """A YAML text with a map on top, never empty."""
    step = draw(st.sampled_from((1, 2, 4)))
    lines = draw(_map_lines(depth=0, step=step))
    newline = draw(st.sampled_from(("\n", "\n", "\r\n")))
    text = newline.join(lines)
    # Behind a block scalar the last newline belongs to the value.
    return text + newline if draw(st.booleans()) or "|" in text else text


@st.composite
def _map_lines(draw: st.DrawFn, *, depth: int, step: int) -> list[str]:
    lines = []
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        if draw(st.integers(0, 5)) == 0:
            lines.append(draw(st.sampled_from(("", "# a comment", f"{' ' * step * depth}# near: it"))))
        key = draw(st.sampled_from((name, name, name, f"'{name}'", f'"{name}"')))
        lines += draw(_entry_lines(f"{key}:", depth=depth, step=step))
    return lines


@st.composite
def _entry_lines(draw: st.DrawFn, lead: str, *, depth: int, step: int) -> list[str]:
    comment = draw(st.sampled_from(_COMMENTS))
    kind = draw(st.integers(0, 9)) if depth < 3 else 0
    if kind <= 5:
        gap = draw(st.sampled_from((" ", " ", "  ")))
        return [f"{lead}{gap}{draw(st.sampled_from(_WRITTEN))}{comment}"]
    if kind == 6:
        return [f"{lead}{comment}"]
    if kind == 7:
        return [f"{lead} |{comment}", f"{' ' * step}text: of", f"{' ' * step}lines"]
    if kind == 8:
        items = draw(st.lists(_item_lines(depth=depth + 1, step=step), min_size=1, max_size=3))
        margin = " " * draw(st.sampled_from((0, step)))
        return [f"{lead}{comment}", *(f"{margin}{line}" for item in items for line in item)]
    inner = draw(_map_lines(depth=depth + 1, step=step))
    return [f"{lead}{comment}", *(f"{' ' * step}{line}" if line else "" for line in inner)]


@st.composite
def _item_lines(draw: st.DrawFn, *, depth: int, step: int) -> list[str]:
    if draw(st.booleans()) or depth > 2:
        return [f"- {draw(st.sampled_from(_WRITTEN))}{draw(st.sampled_from(_COMMENTS))}"]
    first, *rest = [
        line for line in draw(_map_lines(depth=depth, step=2)) if line and not line.lstrip().startswith("#")
    ]
    return [f"- {first}", *(f"  {line}" for line in rest)]


def paths_of(data: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All paths to values of some data, the whole excepted."""
    steps = data.items() if isinstance(data, dict) else enumerate(data if isinstance(data, list) else ())
    found = []
    for key, value in steps:
        found += [(*above, key), *paths_of(value, (*above, key))]
    return found
