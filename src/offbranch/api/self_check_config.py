"""The parts of `ob doctor` that look at the configuration and at the data remotes in it."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence

from offbranch.api.config_levels import ConfigFile, ConfigValue, Level, config_files, merged, read_text_of, values_of
from offbranch.api.finding import Finding, Health, ok, problem, warning
from offbranch.api.remotes import Remote
from offbranch.api.session import Session
from offbranch.base.config import parse_config
from offbranch.base.config_schema import SCHEMES, check_remote_option, holds_secret, without_password
from offbranch.base.errors import OffbranchError
from offbranch.project import Project
from offbranch.storage.remote_files import OPENERS
from offbranch.storage.remote_setting import LOCAL, RemoteSetting, resolve_remote

ProbeRemote = Callable[[RemoteSetting], Finding | None]


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
    project: Project,
    remotes: Sequence[Remote],
    *,
    missing: Callable[[str], str | None],
    probe: ProbeRemote | None,
) -> Iterator[Finding]:
    """Looks at each data remote.

    Args:
        project: Whose remotes they are.
        remotes: As configured.
        missing: Returns a module of an optional dependency set that is not installed.
        probe: Tries whether a remote answers.
    """
    if not remotes:
        yield ok("remotes", "none; 'ob remote add -d NAME URL' makes one")
    for remote in remotes:
        name = f"'{remote.name}'{' (default)' if remote.is_default else ''}"
        try:
            setting = resolve_remote(project.config, remote.name, root=project.root)
        except OffbranchError as error:
            yield problem(
                "remotes", f"{name}: {error.message}", error.hint or f"ob remote modify {remote.name} url URL"
            )
            continue
        yield from _options(remote, setting.scheme)
        finding = _reach(setting, name, missing)
        yield finding
        if finding.health is Health.OK and probe is not None and (result := probe(setting)) is not None:
            yield result


def _reach(setting: RemoteSetting, name: str, missing: Callable[[str], str | None]) -> Finding:
    """Tells whether this installation can reach a remote at all."""
    scheme, own = setting.scheme, setting.name
    shown = f"{scheme}, {without_password(setting.url)}"
    if scheme not in OPENERS:
        if scheme in SCHEMES:
            return warning("remotes", f"{name}: {shown}, which this ob does not reach", "use 'dvc push' and 'dvc pull'")
        return problem("remotes", f"{name}: '{scheme}://' is not known", f"ob remote modify {own} url URL")
    extra = OPENERS[scheme][1]
    if extra is not None and (module := missing(extra)) is not None:
        hint = f"pip install 'offbranch[{extra}]'"
        return problem("remotes", f"{name}: {scheme} needs '{module}', which is not installed", hint)
    if scheme == LOCAL and not os.path.isdir(setting.url):
        hint = f"mount it, or let the first push make it; another place: ob remote modify {own} url PATH"
        return warning("remotes", f"{name}: there is no directory '{setting.url}'", hint)
    return ok("remotes", f"{name}: {shown}")


def _options(remote: Remote, scheme: str) -> Iterator[Finding]:
    if scheme not in SCHEMES:
        return
    for option in remote.options:
        try:
            check_remote_option(option.section, option.option, (scheme,))
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
