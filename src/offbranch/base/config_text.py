"""The text of a config file cut into section headers and options, each with its place; everything else is in between.

Both reading (`config.py`) and editing (`config_edit.py`) go by this, so what is edited is what is read. The syntax is
that of ConfigObj as DVC 3.67 uses it: indentation means nothing, `#` begins a comment unless it is quoted, quotes are
`"`, `'` or three of them, and only the last may go over several lines.
"""

from collections.abc import Iterator

from offbranch.base.errors import BadInputError
from offbranch.base.records import record

_TRIPLE = ("'''", '"""')
_QUOTES = "'\""


@record
class Header:
    """Attributes:
    section: Its name in normal form, e.g. `core` or `remote "store"`.
    line: Counted from 1.
    start: Place of its line in the text.
    end: Place after its line, newline included.
    name_start: Place after the opening bracket.
    name_end: Place of the closing bracket.
    """

    section: str
    line: int
    start: int
    end: int
    name_start: int
    name_end: int


@record
class Entry:
    """Attributes:
    section: Of the header above it, in normal form.
    option: Its name in lower case.
    value: Without quotes and comment.
    line: Counted from 1.
    start: Place of its line in the text.
    end: Place after its last line, newline included.
    value_start: Place of the value, quotes included.
    value_end: Place after the value, before any comment.
    """

    section: str
    option: str
    value: str
    line: int
    start: int
    end: int
    value_start: int
    value_end: int


def scan(text: str, *, origin: str) -> Iterator[Header | Entry]:
    """Yields the headers and options of a config file in order.

    Raises:
        BadInputError: A line is no section, option or comment.
    """
    lines = text.splitlines(keepends=True)
    section: str | None = None
    at = number = 0
    while number < len(lines):
        raw = lines[number]
        number += 1
        start, at = at, at + len(raw)
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("["):
            header = _header(raw, origin, number, start)
            section = header.section
            yield header
            continue
        option, equals, _ = raw.partition("=")
        option = option.strip().strip(_QUOTES).lower()
        if not equals or not option:
            raise BadInputError(f"expected 'option = value', found '{line}'", path=origin, line=number)
        if section is None:
            raise BadInputError(f"option '{option}' stands before any [section]", path=origin, line=number, key=option)
        value_start = start + raw.index("=") + 1
        value_start += len(text[value_start:at]) - len(text[value_start:at].lstrip())
        first, value, length = number, "", 0
        quotes = text[value_start : value_start + 3]
        if quotes in _TRIPLE:
            closing = text.find(quotes, value_start + 3)
            if closing < 0:
                raise BadInputError(f"the value has no closing {quotes}", path=origin, line=number, key=option)
            value, length = text[value_start + 3 : closing], closing + 3 - value_start
            while at < closing + 3:
                at += len(lines[number])
                number += 1
        else:
            value, length = _value(text[value_start:at].rstrip())
            value_start = min(value_start, start + len(raw.rstrip("\r\n")))
        yield Entry(
            section=section,
            option=option,
            value=value,
            line=first,
            start=start,
            end=at,
            value_start=value_start,
            value_end=value_start + length,
        )


def section_name(text: str) -> str:
    """Returns the normal form of what stands between the brackets of a header."""
    name = text.strip()
    if len(name) > 1 and name[0] in _QUOTES and name.endswith(name[0]):
        name = name[1:-1]
    kind, _, rest = name.partition(" ")
    label = rest.strip()
    if len(label) > 1 and label[0] == '"' and label.endswith('"'):
        label = label[1:-1]
    return f'{kind.lower()} "{label.lower()}"' if rest.strip() else kind.lower()


def _header(raw: str, origin: str, number: int, start: int) -> Header:
    opening = raw.index("[")
    # The bracket that closes is the last one before a comment; a name may hold both signs if it is quoted.
    code = raw.rstrip()
    closing = code.rfind("]")
    if (mark := code.find("#", code.find("]"))) > 0 and "]" in code:
        closing = code.rfind("]", 0, mark)
    if closing < opening or code[closing + 1 :].strip()[:1] not in ("", "#"):
        raise BadInputError("the section header has no closing ']'", path=origin, line=number)
    return Header(
        section=section_name(raw[opening + 1 : closing]),
        line=number,
        start=start,
        end=start + len(raw),
        name_start=start + opening + 1,
        name_end=start + closing,
    )


def _value(text: str) -> tuple[str, int]:
    """Returns the value that a line goes on with after `=`, and how much of the text it is."""
    if text[:1] in ("'", '"') and (closing := text.find(text[0], 1)) > 0:
        return text[1:closing], closing + 1
    plain = text.partition("#")[0].rstrip()
    return plain, len(plain)
