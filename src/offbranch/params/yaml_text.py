"""Plain data written as YAML: scalars, flow collections, block lines.

Written so that YAML 1.2 as ruamel.yaml reads it gives the same value back, and, as training scripts mostly read with
PyYAML, so that YAML 1.1 does too: `yes` and `1:30` are quoted, `1e-05` is written `1.0e-05`.
"""

import re
from typing import Any

from offbranch.base.yaml_simple import has_odd, plain_scalar, without_odd

# Texts safe to write without quotes: begin with a letter, `/` or `.`, and hold none of YAML's special characters.
_PLAIN = re.compile(r"(?:[^\W\d_]|[/._])(?:[\w./%+*@()-]| (?! |$))*").fullmatch
_WORDS_OF_1_1 = frozenset("yes no on off true false null".split())
_ESCAPES = {"\t": "\\t", "\r": "\\r", "\0": "\\0"}


def scalar_text(value: Any, quote: str = "") -> str:
    """Returns a scalar as YAML.

    Args:
        value: None, a bool, a number or a text.
        quote: The quote character to prefer for texts, empty for none where none is needed.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    return _string_text(str(value), quote)


def flow_text(value: Any, quote: str = "") -> str:
    """Returns a value as YAML on one line: collections in brackets."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar_text(key)}: {flow_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    return scalar_text(value, quote)


def block_lines(value: Any) -> list[str]:
    """Returns a collection that is not empty as lines of block style, without indentation."""
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in entry_lines(f"{scalar_text(key)}:", item)]
    return [line for item in value for line in entry_lines("-", item)]


def entry_lines(lead: str, value: Any) -> list[str]:
    """Returns the lines of one entry of a block collection: `key:` or `-`, and the value.

    Maps go over several lines; lists stay on one unless there is a map in them.
    """
    if not value or not isinstance(value, dict | list) or (isinstance(value, list) and not _holds_map(value)):
        return [f"{lead} {flow_text(value)}"]
    if lead == "-":
        first, *rest = block_lines(value)
        return [f"- {first}", *(f"  {line}" for line in rest)]
    return [lead, *(f"  {line}" for line in block_lines(value))]


def _holds_map(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_map, value)))


def _float_text(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    # Without a dot, YAML 1.1 reads 1e-05 as a text.
    return text if "." in text or "e" not in text else text.replace("e", ".0e")


def _string_text(text: str, quote: str) -> str:
    if "\n" in text or has_odd(text):
        return _double_quoted(text)
    if quote == '"':
        return _double_quoted(text)
    if not quote and _PLAIN(text) and text.lower() not in _WORDS_OF_1_1 and plain_scalar(text) == text:
        return text
    return "'" + text.replace("'", "''") + "'"


def _double_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{without_odd(escaped, _escape)}"'.replace("\n", "\\n")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _ESCAPES.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
