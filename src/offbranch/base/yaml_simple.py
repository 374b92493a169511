"""A small reader for the part of YAML that tools write and people mostly write: a file at the speed of a glance.

Reads block mappings and sequences, scalars of all styles in their usual forms, and flow collections on one line.
Everything else gives `NOT_SURE`, and `base/yaml.py` asks the full reader. The invariant, kept by property tests: what
this returns is what the full reader (YAML 1.2 as ruamel.yaml reads it) would have returned.
"""

import re
from collections.abc import Callable
from typing import Any, Final


class _NotSure:
    __slots__ = ()


NOT_SURE: Final = _NotSure()

# Anything but printable characters and newlines: tabs, control characters, other line breaks, byte order marks.
_ODD_ASCII = re.compile("[\0-\x09\x0b-\x1f\x7f]").search
# As the complement of what is printable, and compiled where needed: 0.4 ms (a class of what is allowed takes 5).
_ODD = "[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
# indent, dashes, key (in quotes or not), and what is left of the line. Possessive, so that no line is scanned twice.
_LINE = re.compile(r"""( *+)((?:-[ ]++)*+)(?:([\w./$(][^:#\n]*+|'[^'\n]*+'|"[^"\\\n]*+")[ ]*+:(?:[ ]++|$))?(.*+)""")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})").fullmatch
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]{1,40}\.[0-9]{0,40}(?:[eE][-+]?[0-9]{1,4})?|[0-9]{1,40}[eE][-+]?[0-9]{1,4}|\.[0-9]{1,40})"
).fullmatch
# Strings that begin like numbers: a hexadecimal hash, a version, or anything with a character no number or date has.
_STRING = re.compile(
    r"[0-9][0-9a-f]*+(?<=[acdf])[0-9a-f]*+(?:\.dir)?|[0-9a-f]*+\.dir|[0-9]++(?:\.[0-9]++){2,}|\.\.?"
    r"|.*[^0-9_+\-.:a-fA-FxoinINtTZ ].*"
).fullmatch
_HASH = re.compile(r"[0-9a-f]*[acdf][0-9a-f]*").fullmatch
_LOOKS_LIKE_DATE = re.compile(r"[0-9]{4}-").match
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~"), None),
    **dict.fromkeys(("<<", "="), NOT_SURE),
}
_INDICATORS = frozenset("&*!|>%@`?:,]}#")
_NUMBER_STARTS = frozenset("0123456789+-.")
_FLOW_WORD = re.compile(r"[\w./$~+(-][^\[\]{},:#'\"\n]*").match
_FLOW_QUOTED = re.compile(r"'([^'\n]*)'(?!')|\"([^\"\\\n]*)\"").match
_WITH_ESCAPES = re.compile(r'"((?:[^"\\]|\\[nt"\\])*+)"').match
_ESCAPE = re.compile(r"\\.")
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_MAX_DEPTH = 50
_MAX_FLOW_DEPTH = 20
_MAX_QUOTED_LINES = 100


def has_odd(text: str) -> bool:
    """Tells whether a text has a character that is not printable, or one but a newline that may break a line."""
    return (_ODD_ASCII(text) if text.isascii() else re.search(_ODD, text)) is not None


def without_odd(text: str, escaped: Callable[[re.Match[str]], str]) -> str:
    """Returns a text with something else in the place of each such character."""
    return re.sub(_ODD, escaped, text) if has_odd(text) else text


def parse_simple(text: str) -> Any:
    """Returns the value of a YAML text, or `NOT_SURE` when it is not of the simple kind."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if has_odd(text):
        return NOT_SURE
    root: list[Any] = [None]
    # The innermost open collection and the column of its entries; those around it are on the stack.
    column: int = -1
    node: Any = root
    stack: list[tuple[int, Any]] = []
    # The place that still waits for its value (None when there is none), and the last one that got a plain scalar.
    slot: Any = root
    slot_key: Any = 0
    plain: str | None = None
    plain_node: Any = root
    plain_key: Any = 0
    match = _LINE.match
    scalars: dict[str, Any] = {}

    # One long loop on purpose: a call per line would cost as much as all the rest.
    lines = text.split("\n")
    resume = 0
    for n, line in enumerate(lines):
        if n < resume:
            continue
        indent, dashes, key, rest = match(line).groups()  # type: ignore[union-attr]
        at = len(indent)
        if key is None and not dashes and (not rest or rest[0] == "#"):
            plain = None
            continue
        if plain is not None:
            if at > column:
                more = line.strip(" ")
                if ": " in more or " #" in more or more[-1] == ":" or _LOOKS_LIKE_DATE(plain):
                    return NOT_SURE
                plain_node[plain_key] = plain = f"{plain} {more}"
                continue
            plain = None
        if at < column:
            slot = None
            while at < column:
                column, node = stack.pop()
        if rest == "-" and key is None:
            dashes, rest = dashes + "-", ""

        if dashes:
            for piece in dashes.split("-")[1:]:
                if slot is not None and (at > column or (at == column and type(node) is dict)):
                    if len(stack) > _MAX_DEPTH:
                        return NOT_SURE
                    stack.append((column, node))
                    fresh: list[Any] = []
                    slot[slot_key] = fresh
                    column, node = at, fresh
                elif at != column or type(node) is not list:
                    return NOT_SURE
                slot, slot_key = node, len(node)
                node.append(None)
                at += 1 + len(piece)
        elif at == column and type(node) is list:
            # A sequence may stand at the column of the key it belongs to: this line goes on with that mapping.
            column, node = stack.pop()
            slot = None
            if at != column:
                return NOT_SURE

        if key is not None:
            if at > column:
                if slot is None or len(stack) > _MAX_DEPTH:
                    return NOT_SURE
                stack.append((column, node))
                mapping: dict[Any, Any] = {}
                slot[slot_key] = mapping
                column, node = at, mapping
            elif at != column or type(node) is not dict:
                return NOT_SURE
            name = scalars.get(key, scalars)
            if name is scalars:
                name = scalars[key] = _key(key)
            if name is NOT_SURE or name in node:
                return NOT_SURE
            slot, slot_key = node, name
            node[name] = None
        elif slot is None or slot is root or (not dashes and at <= column):
            return NOT_SURE

        if not rest or rest[0] == "#":
            continue
        value = scalars.get(rest, scalars)
        if value is scalars:
            value = _value(rest)
            if value is NOT_SURE:
                value, resume = _several_lines(lines, n, rest, column)
                if value is NOT_SURE:
                    return NOT_SURE
                slot[slot_key] = value
                slot = None
                continue
            if type(value) is str or type(value) is int:
                scalars[rest] = value
        slot[slot_key] = value
        if rest[0] not in "'\"[{" and " #" not in rest:
            plain, plain_node, plain_key = rest.rstrip(" "), slot, slot_key
        slot = None
    return root[0]


def _key(written: str) -> Any:
    if written[0] in "'\"":
        return written[1:-1]
    if len(written) > 500:
        return NOT_SURE
    return plain_scalar(written.rstrip(" "))


def _value(rest: str) -> Any:
    """Reads what stands after a key or a dash, up to the end of the line."""
    first = rest[0]
    if first == "'" or first == '"':
        return _quoted(rest, first)
    if first == "[" or first == "{":
        value, end = _flow(rest, 0, 0)
        return value if _is_blank(rest[end:]) else NOT_SURE
    if first in _INDICATORS:
        return NOT_SURE
    comment = rest.find(" #")
    if comment >= 0:
        rest = rest[:comment]
    rest = rest.rstrip(" ")
    if ": " in rest or rest[-1] == ":" or rest == "-" or rest.startswith("- "):
        return NOT_SURE
    return plain_scalar(rest)


def plain_scalar(text: str) -> Any:
    """Returns what a text means when it stands without quotes, by the YAML 1.2 rules of ruamel.yaml, or `NOT_SURE`.

    Looks at types only: whether the text may stand without quotes at all (`: `, ` #`, indicators) is not asked here.
    """
    if text[0] not in _NUMBER_STARTS:
        return _WORDS.get(text, text)
    if _INT(text):
        return int(text)
    if _HASH(text):
        return text
    if _FLOAT(text):
        return float(text)
    if _STRING(text) and not text.startswith(("---", "...")):
        return text
    return NOT_SURE


def _quoted(rest: str, quote: str) -> Any:
    end = rest.find(quote, 1)
    if quote == '"':
        if "\\" in rest:
            return _escaped(rest)
        return rest[1:end] if end > 0 and _is_blank(rest[end + 1 :]) else NOT_SURE
    while end >= 0 and rest[end + 1 : end + 2] == "'":
        end = rest.find("'", end + 2)
    if end < 0 or not _is_blank(rest[end + 1 :]):
        return NOT_SURE
    return rest[1:end].replace("''", "'")


def _escaped(rest: str) -> Any:
    """Reads a double-quoted text in which only the usual escapes occur."""
    quoted = _WITH_ESCAPES(rest)
    if quoted is None or not _is_blank(rest[quoted.end() :]):
        return NOT_SURE
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[0][1]], quoted[1])


def _several_lines(lines: list[str], at: int, rest: str, column: int) -> tuple[Any, int]:
    """Reads a scalar that begins in line `at` and ends in a later one; returns it and the line to go on with.

    Args:
        lines: The whole text.
        at: Line that has the beginning.
        rest: What stands there after the key or dash.
        column: Column of the collection it is in; lines of the scalar are indented more.
    """
    header = rest.rstrip(" ")
    if header in ("|", "|-", ">", ">-"):
        return _block(lines, at + 1, header, column)
    if rest[0] in "'\"":
        return _long_quoted(lines, at, rest, column)
    return NOT_SURE, 0


def _block(lines: list[str], at: int, header: str, column: int) -> tuple[Any, int]:
    """Reads a literal (`|`) or folded (`>`) scalar whose lines are all indented alike, or (literal) more."""
    found: list[str] = []
    indent = 0
    end = at
    for n in range(at, len(lines)):
        line = lines[n]
        depth = len(line) - len(line.lstrip(" "))
        if depth == len(line):
            # A blank line: content, unless only blank lines follow. More spaces than the indentation would be text.
            if not found or (depth > indent and line):
                return NOT_SURE, 0
            found.append("")
            continue
        if depth <= column:
            break
        if not found:
            indent = depth
        if depth < indent or n == len(lines) - 1:
            return NOT_SURE, 0
        found.append(line[indent:])
        end = n + 1
    kept = found[: end - at]
    if not kept:
        return NOT_SURE, 0
    if header[0] == "|":
        text = "\n".join(kept)
    elif any(not line or line[0] == " " for line in kept):
        return NOT_SURE, 0
    else:
        text = " ".join(kept)
    return (text if header[-1] == "-" else text + "\n"), end


def _long_quoted(lines: list[str], at: int, rest: str, column: int) -> tuple[Any, int]:
    """Reads a quoted scalar that is folded over lines without a blank one between."""
    quote = rest[0]
    pieces = [rest.rstrip(" ")]
    for n in range(at + 1, min(at + _MAX_QUOTED_LINES, len(lines))):
        line = lines[n].strip(" ")
        if not line or len(lines[n]) - len(lines[n].lstrip(" ")) <= column or pieces[-1][-1] == "\\":
            return NOT_SURE, 0
        pieces.append(line)
        bare = _ESCAPE.sub("", line) if quote == '"' else line.replace("''", "")
        if quote in bare:
            return _quoted(" ".join(pieces), quote), n + 1
    return NOT_SURE, 0


def _is_blank(tail: str) -> bool:
    """Tells whether only spaces and a comment are left on the line."""
    stripped = tail.lstrip(" ")
    return not stripped or (stripped[0] == "#" and tail[0] == " ")


def _flow(text: str, at: int, depth: int) -> tuple[Any, int]:
    """Reads a flow collection that begins at `at`; returns it and the place behind it, or (NOT_SURE, 0)."""
    if depth > _MAX_FLOW_DEPTH:
        return NOT_SURE, 0
    is_mapping = text[at] == "{"
    close = "}" if is_mapping else "]"
    result: Any = {} if is_mapping else []
    at = _skip(text, at + 1)
    if text[at : at + 1] == close:
        return result, at + 1
    while True:
        item, at = _flow_item(text, at, depth)
        if item is NOT_SURE:
            return NOT_SURE, 0
        if is_mapping:
            if text[at : at + 2] != ": " or type(item) not in (str, int) or item in result:
                return NOT_SURE, 0
            result[item], at = _flow_item(text, _skip(text, at + 1), depth)
            if result[item] is NOT_SURE:
                return NOT_SURE, 0
        else:
            result.append(item)
        following = text[at : at + 1]
        if following == close:
            return result, at + 1
        if following != ",":
            return NOT_SURE, 0
        at = _skip(text, at + 1)


def _flow_item(text: str, at: int, depth: int) -> tuple[Any, int]:
    first = text[at : at + 1]
    if first == "[" or first == "{":
        item, end = _flow(text, at, depth + 1)
        return item, _skip(text, end)
    if first == "'" or first == '"':
        quoted = _FLOW_QUOTED(text, at)
        if quoted is None:
            return NOT_SURE, 0
        return quoted[1] if first == "'" else quoted[2], _skip(text, quoted.end())
    plain = _FLOW_WORD(text, at)
    if plain is None or text[at : at + 2] in ("- ", "-") or text[plain.end() : plain.end() + 1] in ("#", "'", '"'):
        return NOT_SURE, 0
    written = plain[0].rstrip(" ")
    return (NOT_SURE, 0) if written == "-" else (plain_scalar(written), plain.end())


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at
