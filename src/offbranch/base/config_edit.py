"""Changing one thing in the text of a config file: set or remove an option, remove or rename a section.

Pure functions from text to text. Every line that is not about the change stays as it is to the byte: comments, order,
quotes, indentation, line ends. What is new is written as DVC writes it.
"""

from collections.abc import Iterator

from offbranch.base.config_text import Entry, Header, scan
from offbranch.base.errors import UsageError

INDENT = "    "
_KINDS_WITH_NAME = ("remote ", "db ")


def set_option(text: str, section: str, option: str, value: str, *, origin: str = "config") -> str:
    """Returns the text with an option set: in its place if it is there, else at the end of its section.

    Args:
        text: The present text, empty for a new file.
        section: In normal form, e.g. `core` or `remote "store"`.
        option: In lower case.
        value: Without quotes.
        origin: The file, for messages.

    Raises:
        UsageError: The value cannot be written.
        BadInputError: The present text is malformed.
    """
    parts = tuple(scan(text, origin=origin))
    written = quoted(value)
    if present := [part for part in _entries(parts, section) if part.option == option]:
        last = present[-1]  # the one that counts, should there be several
        gap = " " if text[last.value_start - 1 : last.value_start] == "=" else ""
        after = " " if text[last.value_end : last.value_end + 1] == "#" else ""
        return f"{text[: last.value_start]}{gap}{written}{after}{text[last.value_end :]}"
    headers = [part for part in parts if isinstance(part, Header) and part.section == section]
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    row = f"{option} = {written}{end_of_line}"
    if not headers:
        return _with_section(text, parts, section, INDENT + row, end_of_line)
    above = _last_part_of(parts, headers[-1])
    start, end = above.start, above.end
    indent = INDENT if isinstance(above, Header) else text[start : start + _n_blank(text[start:end])]
    before = text[:end] if text[:end].endswith(("\n", "\r")) else text[:end] + end_of_line
    return before + indent + row + text[end:]


def unset_option(text: str, section: str, option: str, *, origin: str = "config") -> str:
    """Returns the text without an option; a section that holds nothing any more goes with it, unless it has comments.

    Raises:
        BadInputError: The present text is malformed.
    """
    entries = [part for part in _entries(tuple(scan(text, origin=origin)), section) if part.option == option]
    for entry in reversed(entries):
        text = text[: entry.start] + text[entry.end :]
    if not entries:
        return text
    parts = tuple(scan(text, origin=origin))
    for header in [part for part in parts if isinstance(part, Header) and part.section == section][::-1]:
        follows = next((part.start for part in parts if part.start > header.start), len(text))
        at = parts.index(header)
        is_empty = at + 1 == len(parts) or isinstance(parts[at + 1], Header)
        if is_empty and not text[header.end : follows].strip():
            text = text[: header.start] + text[header.end :]
    return text


def remove_section(text: str, section: str, *, origin: str = "config") -> str:
    """Returns the text without a section: its header, options, and the comments that are between or indented below them.

    Raises:
        BadInputError: The present text is malformed.
    """
    parts = tuple(scan(text, origin=origin))
    for header in [part for part in parts if isinstance(part, Header) and part.section == section][::-1]:
        end = _last_part_of(parts, header).end
        for line in text[end:].splitlines(keepends=True):
            if not line.strip().startswith("#") or line[:1] not in " \t":
                break
            end += len(line)
        text = text[: header.start] + text[end:]
    return text


def rename_section(text: str, section: str, new: str, *, origin: str = "config") -> str:
    """Returns the text with the headers of a section renamed.

    Raises:
        BadInputError: The present text is malformed.
    """
    parts = tuple(scan(text, origin=origin))
    for header in [part for part in parts if isinstance(part, Header) and part.section == section][::-1]:
        inner = text[header.name_start : header.name_end]
        text = text[: header.name_start] + inner.replace(inner.strip(), _header_name(new)) + text[header.name_end :]
    return text


def quoted(value: str) -> str:
    """Returns a value as it is written: bare where possible, else in the quotes that it does not hold itself.

    Raises:
        UsageError: It holds a line end or another control character, or no quotes are left.
    """
    if not value:
        return '""'
    if any(char < " " and char != "\t" for char in value) or value.splitlines() != [value]:
        raise UsageError("a value cannot hold a line end or control character", hint="write it on one line")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise UsageError("a value must be text that UTF-8 can hold", hint="use other characters")
    single, double = "'" in value, '"' in value
    if single and double:
        if "'''" in value or value.endswith("'"):
            if '"""' in value or value.endswith('"'):
                raise UsageError(f"there are no quotes to write {value} in", hint="leave out some of its quotes")
            return f'"""{value}"""'
        return f"'''{value}'''"
    is_bare = value[0] not in " \t'\"" and value[-1] not in " \t'\"" and "," not in value and "#" not in value
    if is_bare and value == value.strip():
        return value
    return f"'{value}'" if double else f'"{value}"'


def _entries(parts: tuple[Header | Entry, ...], section: str) -> Iterator[Entry]:
    return (part for part in parts if isinstance(part, Entry) and part.section == section)


def _last_part_of(parts: tuple[Header | Entry, ...], header: Header) -> Header | Entry:
    last: Header | Entry = header
    for part in parts[parts.index(header) + 1 :]:
        if isinstance(part, Header):
            break
        last = part
    return last


def _with_section(text: str, parts: tuple[Header | Entry, ...], section: str, row: str, end_of_line: str) -> str:
    """Adds a section at the end; one without a name before those that have one, the order that DVC keeps."""
    block = f"[{_header_name(section)}]{end_of_line}{row}"
    named = [part for part in parts if isinstance(part, Header) and part.section.startswith(_KINDS_WITH_NAME)]
    if named and not section.startswith(_KINDS_WITH_NAME):
        at = _with_comments_above(text, named[0].start)
        return text[:at] + block + text[at:]
    if text in ("\n", "\r\n"):
        text = ""  # DVC leaves a single newline where nothing is left
    return text + ("" if not text or text.endswith(("\n", "\r")) else end_of_line) + block


def _with_comments_above(text: str, at: int) -> int:
    """Returns where the comment right above a place begins."""
    for line in reversed(text[:at].splitlines(keepends=True)):
        if not line.startswith("#"):
            break
        at -= len(line)
    return at


def _header_name(section: str) -> str:
    return f"'{section}'" if " " in section else section


def _n_blank(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
