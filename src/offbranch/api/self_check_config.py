"""The parts of `ob doctor` that look at the configuration and at the data remotes in it."""

import os
import stat
from collections.abc import Callable, Iterator

from offbranch.api.config import schemes_behind
from offbranch.api.config_levels import ConfigFile, ConfigValue, Level, config_files, merged, read_text_of, values_of
from offbranch.api.finding import Finding, ok, problem, warning
from offbranch.api.remotes import Remote, list_remotes
from offbranch.api.session import Session
from offbranch.base.config import parse_config
from offbranch.base.config_schema import SCHEMES, check_remote_option, holds_secret, without_password
from offbranch.base.errors import OffbranchError


def check_config(session: Session) -> Iterator[Finding]:
    """Reads each config file, and looks who else can."""
    there = []
    is_sound = True
    for file in config_files(session):
        if not os.path.exists(file.path):
            continue
        try:
            parse_config(read_text_of(file), origin=file.origin)
        except OffbranchError as error:
            is_sound = False
            yield problem("config", error.message, error.hint or "mend the line, or restore the file from Git")
            continue
        except OSError as error:
            is_sound = False
            yield problem("config", f"'{file.origin}': {(error.strerror or '').lower()}", "check its permissions")
            continue
        there.append(file.origin)
        yield from _secrets(file)
    yield ok("config", f"read: {', '.join(there) or 'none'}")
    if is_sound:
        yield from _dangling(merged(config_files(session)))


def check_remotes(
    session: Session,
    *,
    missing: Callable[[str], tuple[str, str] | None],
    probe: Callable[[Remote], Finding | None] | None,
) -> Iterator[Finding]:
    """Looks at each data remote.

    Args:
        session: Where.
        missing: Returns for a scheme the module that it needs and that is not installed, with the set that brings it.
        probe: Tries whether the remote answers.
    """
    together = merged(config_files(session))
    found = list_remotes(session)
    if not found:
        yield ok("remotes", "none; 'ob remote add -d NAME URL' makes one")
    for remote in found:
        section = f'remote "{remote.name}"'
        name = f"'{remote.name}'{' (default)' if remote.is_default else ''}"
        schemes = schemes_behind(together[section, "url"].written, together)
        if schemes is None:
            yield problem("remotes", f"{name}: its url leads to a data remote that does not exist", "ob remote list")
            continue
        scheme = schemes[0]
        if scheme not in SCHEMES:
            yield problem("remotes", f"{name}: '{scheme}://' is not known", f"ob remote modify {remote.name} url URL")
            continue
        yield from _options(remote, section, schemes)
        absent = missing(scheme)
        if absent is not None:
            hint = f"pip install 'offbranch[{absent[1]}]'"
            yield problem("remotes", f"{name}: {scheme} needs '{absent[0]}', which is not installed", hint)
            continue
        if scheme == "local" and not os.path.isdir(remote.url) and "://" not in remote.url:
            hint = f"mount it, or let the first push make it; another place: ob remote modify {remote.name} url PATH"
            yield warning("remotes", f"{name}: there is no directory '{remote.url}'", hint)
            continue
        yield ok("remotes", f"{name}: {scheme}, {without_password(remote.url)}")
        if (result := probe(remote) if probe is not None else None) is not None:
            yield result


def _options(remote: Remote, section: str, schemes: tuple[str, ...]) -> Iterator[Finding]:
    for option in remote.options:
        try:
            check_remote_option(section, option.option, schemes)
        except OffbranchError as error:
            text = error.message.replace("cannot set", "cannot use", 1)
            hint = f"ob config --{option.level.value} --unset {option.name}"
            yield warning("remotes", f"{text} ('{option.origin}')", hint)


def _secrets(file: ConfigFile) -> Iterator[Finding]:
    secrets = [value.name for value in values_of(file) if holds_secret(value.section, value.option, value.written)]
    if not secrets:
        return
    names = ", ".join(f"'{name}'" for name in secrets)
    if file.level is Level.PROJECT:
        hint = f"ob config --unset {secrets[0]}; ob config --local {secrets[0]} VALUE; then change the secret: it is in history"
        yield warning("config", f"'{file.origin}' holds {names}, and is kept in Git", hint)
    elif os.name == "posix" and stat.S_IMODE(os.stat(file.path).st_mode) & 0o077:
        yield warning("config", f"'{file.origin}' holds {names}, and others may read it", f"chmod 600 '{file.path}'")


def _dangling(together: dict[tuple[str, str], ConfigValue]) -> Iterator[Finding]:
    default = together.get(("core", "remote"))
    if default is not None and default.written and (f'remote "{default.written.lower()}"', "url") not in together:
        hint = f"ob remote add {default.written} URL, or: ob config --{default.level.value} --unset core.remote"
        yield problem("config", f"core.remote names '{default.written}', and there is no such data remote", hint)
