"""Reading and changing configuration. What is written is checked first; a refused change leaves every file as it was."""

from collections.abc import Mapping, Sequence

from offbranch.api.config_levels import (
    ConfigFile,
    ConfigValue,
    Level,
    as_written,
    changing,
    config_files,
    file_of,
    merged,
    read_text_of,
    rewrite,
    root_of,
    values_of,
)
from offbranch.api.session import Session
from offbranch.base.config import parse_config
from offbranch.base.config_edit import set_option, unset_option
from offbranch.base.config_schema import check_known, check_remote_option, check_setting, holds_secret, scheme_of
from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.paths import AbsPath
from offbranch.project import cache_root_of, read_config


def get_config(name: str, session: Session, *, level: Level | None = None) -> ConfigValue | None:
    """Returns what an option is set to; None when no config file sets it.

    Args:
        name: `section.option`, or `remote.NAME.option`.
        session: Where.
        level: Look into this file only.

    Raises:
        UsageError: It is no name of an option.
        BadInputError: There is no such option, or a config file is malformed.
        NotFoundError: `level` is given and its file does not set it.
    """
    section, option = split_name(name)
    files = config_files(session)
    check_known(section, option)
    if level is None:
        return merged(files).get((section, option))
    file = file_of(session, level)
    found = next((value for value in values_of(file) if (value.section, value.option) == (section, option)), None)
    if found is None:
        raise NotFoundError(f"'{file.origin}' does not set '{name}'", hint=f"ob config --list --{file.level.value}")
    return found


def list_config(session: Session, *, level: Level | None = None) -> tuple[ConfigValue, ...]:
    """Returns what the config files set, the weakest file first, each in its own order.

    Raises:
        BadInputError: A config file is malformed, or has an unknown section or option.
    """
    files = config_files(session)
    chosen = files if level is None else (file_of(session, level),)
    for file in chosen:
        parse_config(read_text_of(file), origin=file.origin)
    return tuple(value for file in chosen for value in values_of(file))


def set_config(name: str, value: str, session: Session, *, level: Level | None = None) -> ConfigValue:
    """Sets an option; returns it as it is now.

    Args:
        name: `section.option`, or `remote.NAME.option`.
        value: A relative path counts from the session's directory.
        session: Where.
        level: The file; that of the project if not given.

    Raises:
        UsageError: The value is of the wrong kind, or the option does not fit the scheme of the remote.
        BadInputError: There is no such section or option.
    """
    section, option = split_name(name)
    files = config_files(session)
    file = file_of(session, level)
    with changing(session, file):
        written = as_written(value, section, option, file, session)
        check_change(section, option, written, files, file.level)
        secret = (section, option) if holds_secret(section, option, value) else None
        rewrite(
            session, file, lambda text: set_option(text, section, option, written, origin=file.origin), secret=secret
        )
    return next(one for one in values_of(file) if (one.section, one.option) == (section, option))


def unset_config(name: str, session: Session, *, level: Level | None = None) -> None:
    """Removes an option from a config file, by default that of the project; one that ob does not know as well.

    Raises:
        NotFoundError: The file does not set it.
    """
    section, option = split_name(name)
    files = config_files(session)
    file = file_of(session, level)
    with changing(session, file):
        present = values_of(file)
        if not any((value.section, value.option) == (section, option) for value in present):
            elsewhere = merged(files).get((section, option))
            if elsewhere is not None:
                hint: str | None = f"'{elsewhere.origin}' does: ob config --{elsewhere.level.value} --unset {name}"
            else:
                hint = did_you_mean(name, [value.name for value in present])
            raise NotFoundError(f"'{file.origin}' does not set '{name}'", hint=hint)
        rewrite(session, file, lambda text: unset_option(text, section, option, origin=file.origin))


def cache_dir(session: Session, *, level: Level | None = None) -> AbsPath:
    """Returns where the cache is, or what one config file says of it.

    Raises:
        NotFoundError: `level` is given and its file does not say.
        NoProjectError: There is no project.
    """
    if level is not None:
        found = get_config("cache.dir", session, level=level)
        assert found is not None
        return AbsPath(found.value)
    root = root_of(session)
    return cache_root_of(root, read_config(root, session.environment))


def split_name(name: str) -> tuple[str, str]:
    """Returns the section (in normal form) and the option that `section.option` or `remote.NAME.option` names.

    Raises:
        UsageError: It is neither.
    """
    kind, _, rest = name.lower().partition(".")
    label, dot, option = rest.rpartition(".")
    named = kind in ("remote", "db")
    if not kind or not option or named != bool(dot) or (named and not label):
        raise UsageError(
            f"'{name}' is no name of an option",
            hint="write section.option, e.g. core.remote, or remote.NAME.option, e.g. remote.store.url",
        )
    return (f'{kind} "{label}"' if named else kind), option


def check_change(section: str, option: str, written: str, files: Sequence[ConfigFile], level: Level) -> None:
    """Makes sure that an option may be set in the file of a level.

    Raises:
        UsageError: The value is of the wrong kind, or does not fit the scheme of the remote.
        BadInputError: There is no such section or option.
        NotFoundError: It is of a data remote that neither this file nor a weaker one has.
    """
    if not section.startswith("remote "):
        check_setting(section, option, written)
        return
    together = merged(files, level)
    url = written if option == "url" else need_remote(section, files, level).written
    schemes = schemes_behind(url, together)
    check_setting(section, option, written, schemes=schemes)
    if option == "url":
        for of_section, other in together:
            if of_section == section:
                check_remote_option(section, other, schemes)


def need_remote(section: str, files: Sequence[ConfigFile], level: Level) -> ConfigValue:
    """Returns the url of a data remote as the files up to a level have it.

    Raises:
        NotFoundError: None of them has it; near names are offered, or the level that has it.
    """
    together = merged(files, level)
    if (url := together.get((section, "url"))) is not None:
        return url
    name = section.partition(" ")[2][1:-1]
    if (elsewhere := merged(files).get((section, "url"))) is not None:
        raise NotFoundError(
            f"there is no data remote '{name}' in the config file of the {level.value} level, or in a weaker one",
            hint=f"it is in '{elsewhere.origin}': use --{elsewhere.level.value}",
        )
    names = [one.partition(" ")[2][1:-1] for one, _ in together if one.startswith("remote ")]
    raise NotFoundError(
        f"there is no data remote '{name}'",
        hint=did_you_mean(name, names) or f"add it with: ob remote add {name} URL",
    )


def schemes_behind(url: str, together: Mapping[tuple[str, str], ConfigValue]) -> tuple[str, ...] | None:
    """Returns the scheme of a url, or of the remote that it leads to; None when that is not known."""
    seen: set[str] = set()
    while scheme_of(url) == "remote":
        section = f'remote "{url.partition("://")[2].partition("/")[0].lower()}"'
        further = together.get((section, "url"))
        if further is None or section in seen:
            return None
        seen.add(section)
        url = further.written
    return (scheme_of(url),)
