"""Data remotes in the configuration: add, list, modify, remove, rename, and which one is the default."""

from collections.abc import Callable
from functools import partial

from offbranch.api.config import check_change, need_remote, set_config, unset_config
from offbranch.api.config_levels import (
    ConfigFile,
    ConfigValue,
    Level,
    as_written,
    changing,
    config_files,
    file_of,
    merged,
    rewrite,
    values_of,
)
from offbranch.api.session import Session
from offbranch.base.config_edit import remove_section, rename_section, set_option, unset_option
from offbranch.base.config_schema import holds_secret
from offbranch.base.config_text import Entry, scan
from offbranch.base.errors import ConflictError, NotFoundError, UsageError, did_you_mean
from offbranch.base.records import record

_STRENGTH = {level: position for position, level in enumerate(Level)}


@record
class Remote:
    """A data remote.

    Attributes:
        name: In lower case.
        url: Relative paths made absolute.
        options: Its other options in the order of the files; values as written, secrets included.
        is_default: It is what `core.remote` names.
        origin: The config file its url comes from.
    """

    name: str
    url: str
    options: tuple[ConfigValue, ...]
    is_default: bool
    origin: str


def list_remotes(session: Session, *, level: Level | None = None) -> tuple[Remote, ...]:
    """Returns the data remotes that all config files together have, or one of them; the weakest file first."""
    together = _together(session, level)
    default = together.get(("core", "remote"))
    found = []
    for (section, option), url in together.items():
        if section.startswith("remote ") and option == "url":
            name = _name(section)
            others = tuple(value for (of, key), value in together.items() if of == section and key != "url")
            is_default = default is not None and default.written.lower() == name
            found.append(Remote(name=name, url=url.value, options=others, is_default=is_default, origin=url.origin))
    return tuple(found)


def add_remote(
    name: str, url: str, session: Session, *, default: bool = False, force: bool = False, level: Level | None = None
) -> Remote:
    """Adds a data remote to a config file.

    Args:
        name: Is lowered.
        url: A relative path counts from the session's directory.
        session: Where.
        default: Makes it the default one as well.
        force: Replaces one of the same name, with all its options.
        level: The file; that of the project if not given.

    Raises:
        ConflictError: There is one of this name in the file, without `force`.
        UsageError: The name or the url makes no sense.
    """
    section = _section(name)
    file = file_of(session, level)
    with changing(session, file):
        exists = any(value.section == section for value in values_of(file))
        if exists and not force:
            raise ConflictError(
                f"there is a data remote '{_name(section)}' in '{file.origin}' already",
                hint=f"change it with 'ob remote modify {_name(section)} url URL', or replace it with -f",
            )
        written = as_written(url, section, "url", file, session)
        if not exists:
            check_change(section, "url", written, config_files(session), file.level)

        def edit(text: str) -> str:
            if default:
                text = set_option(text, "core", "remote", _name(section), origin=file.origin)
            if exists:
                # The header keeps its place; what belonged to the old one goes.
                for value in values_of(file):
                    if value.section == section and value.option != "url":
                        text = unset_option(text, section, value.option, origin=file.origin)
            return set_option(text, section, "url", written, origin=file.origin)

        secret = (section, "url") if holds_secret(section, "url", url) else None
        rewrite(session, file, edit, secret=secret)
    return next(remote for remote in list_remotes(session) if remote.name == _name(section))


def modify_remote(name: str, option: str, value: str | None, session: Session, *, level: Level | None = None) -> None:
    """Sets an option of a data remote, or (None) removes it from a config file; removing what is not there is no error.

    Raises:
        NotFoundError: There is no such remote in the file or in a weaker one.
        UsageError: The option does not fit the scheme of the remote, or the value is of the wrong kind.
    """
    section = _section(name)
    file = file_of(session, level)
    key = f"remote.{_name(section)}.{option.lower()}"
    need_remote(section, config_files(session), file.level)
    if value is not None:
        set_config(key, value, session, level=level)
    elif option.lower() == "url":
        raise UsageError("a data remote cannot be without a url", hint=f"ob remote remove {_name(section)}")
    elif any((one.section, one.option) == (section, option.lower()) for one in values_of(file)):
        unset_config(key, session, level=level)


def remove_remote(name: str, session: Session, *, level: Level | None = None) -> None:
    """Removes a data remote from a config file; where nothing else defines it, `core.remote` no longer names it.

    Raises:
        NotFoundError: The file does not have it.
    """
    section = _section(name)
    file = file_of(session, level)
    with changing(session, file):
        _need_in(session, section, file)
        still_there = any(
            value.section == section and value.option == "url"
            for other in config_files(session)
            if other.level is not file.level
            for value in values_of(other)
        )

        def forget(text: str, origin: str) -> str:
            return text if still_there else _change_default(text, origin, section, None)

        _change_others(session, file, section, forget)
        rewrite(session, file, lambda text: remove_section(forget(text, file.origin), section, origin=file.origin))


def rename_remote(name: str, new: str, session: Session, *, level: Level | None = None) -> None:
    """Renames a data remote in a config file, and wherever `core.remote` names it.

    Raises:
        NotFoundError: The file does not have it.
        ConflictError: There is one of the new name.
    """
    section, new_section = _section(name), _section(new)
    file = file_of(session, level)
    if section == new_section:
        return
    with changing(session, file):
        _need_in(session, section, file)
        taken = next((one for (of, _), one in merged(config_files(session)).items() if of == new_section), None)
        if taken is not None:
            raise ConflictError(
                f"there is a data remote '{_name(new_section)}' already, in '{taken.origin}'",
                hint="choose another name, or remove that one first",
            )

        def rename(text: str, origin: str) -> str:
            return _change_default(text, origin, section, _name(new_section))

        # The file itself comes last: if we are killed before, the same command can be repeated.
        _change_others(session, file, section, rename)
        rewrite(
            session,
            file,
            lambda text: rename_section(rename(text, file.origin), section, new_section, origin=file.origin),
        )


def default_remote(session: Session, *, level: Level | None = None) -> str | None:
    """Returns the name of the default data remote; None when there is none."""
    found = _together(session, level).get(("core", "remote"))
    return None if found is None else found.written


def set_default_remote(name: str | None, session: Session, *, level: Level | None = None) -> None:
    """Makes a data remote the default one in a config file, or (None) says there no more which one is.

    Raises:
        NotFoundError: There is no such remote in the file or in a weaker one.
    """
    file = file_of(session, level)
    with changing(session, file):
        if name is None:
            rewrite(session, file, lambda text: unset_option(text, "core", "remote", origin=file.origin))
            return
        section = _section(name)
        need_remote(section, config_files(session), file.level)
        rewrite(session, file, lambda text: set_option(text, "core", "remote", _name(section), origin=file.origin))


def _together(session: Session, level: Level | None) -> dict[tuple[str, str], ConfigValue]:
    if level is None:
        return merged(config_files(session))
    return {(value.section, value.option): value for value in values_of(file_of(session, level))}


def _need_in(session: Session, section: str, file: ConfigFile) -> None:
    present = [value.section for value in values_of(file)]
    if section in present:
        return
    elsewhere = next((one for (of, _), one in merged(config_files(session)).items() if of == section), None)
    if elsewhere is not None:
        hint: str | None = f"it is in '{elsewhere.origin}': use --{elsewhere.level.value}"
    else:
        names = {_name(one) for one in present if one.startswith("remote ")}
        hint = did_you_mean(_name(section), names) or "ob remote list"
    raise NotFoundError(f"there is no data remote '{_name(section)}' in '{file.origin}'", hint=hint)


def _change_others(session: Session, file: ConfigFile, section: str, change: Callable[..., str]) -> None:
    """Changes the default remote in the files that outweigh one: only they can name a remote of it."""
    for other in config_files(session):
        if _STRENGTH[other.level] > _STRENGTH[file.level] and any(
            value.name == "core.remote" and value.written.lower() == _name(section) for value in values_of(other)
        ):
            rewrite(session, other, partial(change, origin=other.origin))


def _change_default(text: str, origin: str, section: str, new: str | None) -> str:
    """Returns a text whose `core.remote`, if it names a remote, names another one or none."""
    without = unset_option(text, "core", "remote", origin=origin)
    if without == text or not _names(text, origin, _name(section)):
        return text
    return without if new is None else set_option(text, "core", "remote", new, origin=origin)


def _names(text: str, origin: str, name: str) -> bool:
    parts = [part for part in scan(text, origin=origin) if isinstance(part, Entry)]
    return any((part.section, part.option, part.value.lower()) == ("core", "remote", name) for part in parts)


def _section(name: str) -> str:
    """Returns the section of a data remote.

    Raises:
        UsageError: It is no name for one.
    """
    if not name.strip() or name != name.strip() or any(char in "'\"" or not char.isprintable() for char in name):
        raise UsageError(
            f"'{name}' cannot be the name of a data remote",
            hint="use letters, digits, '-', '_' and the like, no quotes",
        )
    return f'remote "{name.lower()}"'


def _name(section: str) -> str:
    return section.partition(" ")[2][1:-1]
