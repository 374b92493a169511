"""The four config files of a session: which there are, what each says, and changing one of them.

What is read here is not checked as a whole: whoever mends a broken file by `ob config` must be able to open it.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum

from offbranch.api.session import Session
from offbranch.base.config_schema import PATHS, is_secret, scheme_of, without_password
from offbranch.base.config_text import Entry, scan
from offbranch.base.errors import NoProjectError
from offbranch.base.events import Warned
from offbranch.base.files import atomic_write, decode
from offbranch.base.locks import hold_lock
from offbranch.base.paths import CONFIG_FILE, DVC_DIR, LOCAL_CONFIG_FILE, OB_DIR, AbsPath, join
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.project import find_root

_BOM = "\ufeff"


class Level(Enum):
    """The config files, the later outweighing the earlier."""

    SYSTEM = "system"
    GLOBAL = "global"
    PROJECT = "project"
    LOCAL = "local"


@record
class ConfigFile:
    """Attributes:
    path: Where it is, or would be.
    origin: As the user knows it: relative to the project where it belongs to one.
    """

    level: Level
    path: AbsPath
    origin: str


@record
class ConfigValue:
    """One option that a config file sets.

    Attributes:
        name: As the command line has it: `core.remote`, `remote.store.url`.
        section: In normal form, e.g. `remote "store"`.
        value: Paths absolute.
        written: The value as it stands in the file.
        is_secret: It lets somebody in, and is not to be shown unasked.
    """

    name: str
    section: str
    option: str
    value: str
    written: str
    level: Level
    origin: str
    is_secret: bool


def config_files(session: Session) -> tuple[ConfigFile, ...]:
    """Returns the config files that count where the session is, the weakest first; two of them only in a project."""
    environment, root = session.environment, find_root(session.start)
    places = [(Level.SYSTEM, environment.system_config_dir), (Level.GLOBAL, environment.global_config_dir)]
    files = []
    for level, directory in places:
        path = AbsPath(os.path.join(directory, "config"))
        files.append(ConfigFile(level=level, path=path, origin=path))
    if root is not None:
        files.append(ConfigFile(level=Level.PROJECT, path=join(root, CONFIG_FILE), origin=CONFIG_FILE))
        files.append(ConfigFile(level=Level.LOCAL, path=join(root, LOCAL_CONFIG_FILE), origin=LOCAL_CONFIG_FILE))
    return tuple(files)


def file_of(session: Session, level: Level | None) -> ConfigFile:
    """Returns the file of a level, by default that of the project.

    Raises:
        NoProjectError: It belongs to a project, and there is none.
    """
    wanted = level or Level.PROJECT
    for file in config_files(session):
        if file.level is wanted:
            return file
    root_of(session)
    raise AssertionError("a project has all four config files")


def root_of(session: Session) -> AbsPath:
    """Returns the root of the project that the session is in.

    Raises:
        NoProjectError: There is none.
    """
    root = find_root(session.start)
    if root is None:
        raise NoProjectError(
            f"'{session.start}' is not inside a project, so there is no config file of a project",
            hint="change into your project, or use --global for the config file of your own",
        )
    return root


def read_text_of(file: ConfigFile) -> str:
    """Returns the text of a config file; empty when there is none."""
    try:
        with open(file.path, "rb") as opened:
            return decode(opened.read(), file.origin)
    except (FileNotFoundError, NotADirectoryError):
        return ""


def values_of(file: ConfigFile) -> tuple[ConfigValue, ...]:
    """Returns what a config file sets, in its order; of several lines for one option the last."""
    found: dict[tuple[str, str], ConfigValue] = {}
    for part in scan(read_text_of(file), origin=file.origin):
        if isinstance(part, Entry):
            found[part.section, part.option] = _value_of(file, part)
    return tuple(found.values())


def merged(files: Sequence[ConfigFile], level: Level | None = None) -> dict[tuple[str, str], ConfigValue]:
    """Returns what all files up to a level say together, by (section, option)."""
    together: dict[tuple[str, str], ConfigValue] = {}
    for file in files:
        together.update({(value.section, value.option): value for value in values_of(file)})
        if file.level is level:
            break
    return together


def shown_name(section: str, option: str) -> str:
    """Returns how the command line names an option: `core.remote`, `remote.store.url`."""
    kind, _, label = section.partition(" ")
    return f"{kind}.{label[1:-1]}.{option}" if label else f"{kind}.{option}"


def as_written(value: str, section: str, option: str, file: ConfigFile, session: Session) -> str:
    """Returns how a value is written into a file: a relative path counts from there, not from where the user is."""
    is_fixed = not value or os.path.isabs(value) or value.startswith("~") or "://" in value
    if is_fixed or not _is_path(section, option, value):
        return value
    path = os.path.relpath(os.path.join(session.start, value), os.path.dirname(file.path))
    return path.replace(os.sep, "/")


def shown(value: ConfigValue) -> str:
    """Returns the value of an option without what lets somebody in."""
    return "***" if value.is_secret else without_password(value.value)


@contextmanager
def changing(session: Session, file: ConfigFile) -> Iterator[None]:
    """Keeps other `ob`s from changing config files meanwhile; read the file inside of it."""
    root = find_root(session.start)
    private = join(root, OB_DIR) if root is not None else session.environment.cache_dir
    directory = private if file.level in (Level.PROJECT, Level.LOCAL) else session.environment.cache_dir
    lock = AbsPath(os.path.join(directory, "config.lock"))
    above = AbsPath(os.path.dirname(file.path))
    with hold_lock(
        lock,
        wait_s=session.environment.lock_wait_s,
        on_abandoned=lambda who: load("offbranch.base.litter:sweep_litter")(above, who.pid, below=False),
    ):
        yield


def rewrite(
    session: Session, file: ConfigFile, edit: Callable[[str], str], *, secret: tuple[str, str] | None = None
) -> bool:
    """Changes a config file in one step; returns whether anything changed. To be called inside `changing`.

    Args:
        session: Whose reporter is told when a secret goes where others can read it.
        file: Which one.
        edit: The old text to the new one.
        secret: (section, option) that is set, if it is a secret: then only the user may read the file afterwards,
            except that of the project, which is in Git anyway.
    """
    before = read_text_of(file)
    after = edit(before)
    is_private = secret is not None and file.level is not Level.PROJECT
    if secret is not None:
        _warn_of_secret(session, file, shown_name(*secret))
    if after == before and not (is_private and before):
        return False
    os.makedirs(os.path.dirname(file.path), exist_ok=True)
    atomic_write(file.path, (_bom_of(file) + after).encode(), mode=_private_mode(file) if is_private else None)
    return after != before


def _warn_of_secret(session: Session, file: ConfigFile, name: str) -> None:
    if file.level is Level.PROJECT:
        session.reporter.emit(
            Warned(
                text=f"'{name}' is a secret, and '{file.origin}' is kept in Git",
                hint=f"set it with --local (in '{LOCAL_CONFIG_FILE}', not in Git), and here: ob config --unset {name}",
            )
        )
    elif file.level is Level.LOCAL and not _is_left_to_git(file):
        session.reporter.emit(
            Warned(
                text=f"'{file.origin}' holds a secret now, and '{DVC_DIR}/.gitignore' does not keep it out of Git",
                hint=f"echo /config.local >> {DVC_DIR}/.gitignore",
            )
        )


def _is_left_to_git(file: ConfigFile) -> bool:
    try:
        with open(os.path.join(os.path.dirname(file.path), ".gitignore"), "rb") as opened:
            return any(line.strip() in (b"/config.local", b"config.local") for line in opened)
    except OSError:
        return False


def _private_mode(file: ConfigFile) -> int:
    try:
        return stat.S_IMODE(os.stat(file.path).st_mode) & 0o600
    except FileNotFoundError:
        return 0o600


def _bom_of(file: ConfigFile) -> str:
    try:
        with open(file.path, "rb") as opened:
            return _BOM if opened.read(3) == _BOM.encode() else ""
    except FileNotFoundError:
        return ""


def _value_of(file: ConfigFile, part: Entry) -> ConfigValue:
    value = part.value
    if _is_path(part.section, part.option, value) and value and "://" not in value:
        value = os.path.normpath(os.path.join(os.path.dirname(file.path), os.path.expanduser(value)))
    return ConfigValue(
        name=shown_name(part.section, part.option),
        section=part.section,
        option=part.option,
        value=value,
        written=part.value,
        level=file.level,
        origin=file.origin,
        is_secret=is_secret(part.section, part.option),
    )


def _is_path(section: str, option: str, value: str) -> bool:
    if section.startswith("remote "):
        return option in PATHS or (option == "url" and scheme_of(value) == "local")
    return (section, option) == ("cache", "dir")
