"""The files that Live writes, as text: rows of metrics, the summary, data of plots (docs/formats/live.md).

Source: the files of DVCLive 3.49. Pure but for `replace_file`, which puts text in place in one step.
"""

import itertools
import os
import stat
from collections.abc import Mapping
from typing import Any

from offbranch.base.files import TEMPORARY_PREFIX
from offbranch.base.plugins import load

_numbers = itertools.count()
_QUOTED = frozenset('\t"\r\n')


def field(text: str) -> str:
    """Returns a value as it stands in a row: quoted only if it holds a tab, a quote or the end of a line."""
    return text if _QUOTED.isdisjoint(text) else '"' + text.replace('"', '""') + '"'


def header(name: str, *, has_timestamp: bool) -> str:
    """Returns the first line of the table of a metric."""
    column = field(name.rpartition("/")[2])
    return f"{'timestamp' if has_timestamp else ''}{chr(9) if has_timestamp else ''}step\t{column}{os.linesep}"


def file_path(name: str) -> str:
    """Returns where below its directory a named thing is kept; no name leads out of that."""
    parts = ["_" if part == ".." else part for part in name.replace(os.sep, "/").split("/") if part not in ("", ".")]
    return os.path.join(*parts) if parts else "_"


def put(summary: dict[str, Any], name: str, value: object) -> None:
    """Sets a value in the summary, where the parts of its name are levels.

    A name that goes on from another metric's (`acc` and `acc/best`) stays whole on the level where they meet.
    """
    level = summary
    parts = [part for part in name.split("/") if part] or [name]
    for index, part in enumerate(parts[:-1]):
        below = level.setdefault(part, {})
        if not isinstance(below, dict):
            level["/".join(parts[index:])] = value
            return
        level = below
    level[parts[-1]] = value


def copy_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy that another thread cannot change; each level is copied in one step."""
    return {
        str(key): copy_of(value) if isinstance(value, dict) else _for_json(value)
        for key, value in dict(summary).items()
    }


def merge_missing(summary: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Adds what another process has noted and this one has not."""
    for key, value in other.items():
        if key not in summary:
            summary[key] = value
        elif isinstance(summary[key], dict) and isinstance(value, dict):
            merge_missing(summary[key], value)


def json_text(value: object) -> str:
    """Returns data as the JSON of DVCLive: four spaces, a newline at the end."""
    text: str = load("json").dumps(value, indent=4, default=_for_json)
    return text + "\n"


def read_json(path: str) -> dict[str, Any]:
    """Returns a map from a file; an empty one where there is none, or something else."""
    try:
        with open(path, "rb") as file:
            value = load("json").loads(file.read())
    except TimeoutError:  # of a signal handler
        raise
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def replace_file(path: str, content: bytes) -> None:
    """Replaces a file in one step; its directory is made if it is not there.

    Args:
        path: The file; one that is a link is replaced where it points to.
        content: All of it.
    """
    target = os.path.realpath(path) if _is_link(path) else path
    directory, name = os.path.split(target)
    temporary = os.path.join(directory, f"{TEMPORARY_PREFIX}{name[:80]}-{temporary_number()}")
    try:
        _write_new(temporary, content)
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def _write_new(path: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        descriptor = os.open(path, flags, 0o666)
    with open(descriptor, "wb") as file:
        file.write(content)


def _is_link(path: str) -> bool:
    """As `os.path.islink`, which would take an error that a signal handler raises for an answer."""
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except TimeoutError:
        raise
    except OSError:
        return False


def temporary_number() -> str:
    """Returns what ends the name of a temporary file: no other thread, process or interrupted call has the same."""
    return f"{next(_numbers)}-{os.getpid()}"


def _for_json(value: Any) -> Any:
    """Returns what JSON has for a value of another library: what its `item` or `tolist` says, else its text."""
    if value is None or isinstance(value, bool | int | float | str | list | tuple):
        return value
    for way in ("tolist", "item"):
        convert = getattr(value, way, None)
        if callable(convert):
            return convert()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return str(value)
