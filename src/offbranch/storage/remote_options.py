"""Options of data remotes, checked when one is opened: what cannot be honoured is refused by name, never left out silently.

Each scheme's module says which options it reads and which it refuses; the names are DVC's.
"""

import os
import urllib.parse
from collections.abc import Callable, Collection, Iterable, Mapping

from offbranch.base.config_schema import SECRETS
from offbranch.base.errors import BadInputError, RemoteError, did_you_mean
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.storage.remote_setting import RemoteSetting

# Asks the user for a secret: takes the prompt, returns what was typed.
Ask = Callable[[str], str]

# Every kind of data remote has these; who transfers and verifies reads them, not who opens.
COMMON = frozenset(("jobs", "checksum_jobs", "worktree", "version_aware", "verify"))
_MIN_SECRET = 4
_ASKED = {"ask_password": "password", "ask_passphrase": "passphrase"}
_ASKING = frozenset(("ssh", "http", "https"))


def check_options(setting: RemoteSetting, known: Collection[str], refused: Mapping[str, str]) -> None:
    """Refuses an option that this scheme does not have, or that cannot be honoured.

    Args:
        setting: Of the remote.
        known: Options that the scheme's module reads, or that need no reading.
        refused: The others, with the reason.

    Raises:
        BadInputError: One is there.
    """
    for option in setting.options:
        if option in refused:
            raise option_error(
                setting, option, refused[option], hint=f"ob remote modify {_name(setting)} {option} --unset"
            )
        if option not in known and option not in COMMON:
            raise option_error(
                setting,
                option,
                f"{setting.scheme}:// remotes have no such option",
                hint=did_you_mean(option, {*known, *COMMON, *refused})
                or f"known: {', '.join(sorted({*known, *COMMON}))}",
            )


def option_error(setting: RemoteSetting, option: str, reason: str, *, hint: str | None = None) -> BadInputError:
    """Returns the error for an option: it names the file, the remote and the option, never the value."""
    return BadInputError(
        reason, path=setting.origin or "configuration", key=f"remote.{_name(setting)}.{option}", hint=hint
    )


def get_choice(setting: RemoteSetting, option: str, choices: Collection[str], default: str) -> str:
    """Returns an option that is one of a few words, in any case of letters.

    Raises:
        BadInputError: It is none of them.
    """
    value = setting.options.get(option, default)
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise option_error(setting, option, f"expected {' or '.join(choices)}, found '{value}'")


def get_path(setting: RemoteSetting, option: str) -> str | None:
    """Returns an option that is a path of this machine; a relative one counts from the config file of the remote."""
    value = setting.options.get(option)
    if not value:
        return None
    return os.path.normpath(os.path.join(setting.base, os.path.expanduser(value)))


def get_timeout(setting: RemoteSetting, option: str, default: float) -> float:
    """Returns an option in seconds.

    Raises:
        BadInputError: It is no number above 0.
    """
    value = setting.get_number(option, default)
    if value is None or not value > 0:
        raise option_error(setting, option, f"expected seconds, more than 0, found '{setting.options.get(option)}'")
    return value


def host_of(url: str) -> str | None:
    """Returns the host that a url names, None when it names none or makes no sense, as with a port of six digits."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.hostname if parts.port is None or parts.port else None
    except ValueError:
        return None


def joined(url: str, place: str) -> str:
    """Returns where a server at a url redirects to; empty where that makes no sense."""
    try:
        return urllib.parse.urljoin(url, place)
    except ValueError:
        return ""


def get_trust(setting: RemoteSetting) -> bool | str:
    """Returns what `ssl_verify` asks for: whether certificates are checked, or the file of authorities that are trusted.

    Raises:
        BadInputError: It is neither a truth value nor a file.
    """
    value = setting.options.get("ssl_verify")
    if value is None or value.lower() in ("true", "yes", "on", "1"):
        return True
    if value.lower() in ("false", "no", "off", "0"):
        return False
    path = get_path(setting, "ssl_verify")
    if path is None or not os.path.isfile(path):
        raise option_error(setting, "ssl_verify", f"expected true, false or a file of certificates, found '{value}'")
    return path


def with_answers(setting: RemoteSetting, ask: Ask) -> RemoteSetting:
    """Returns a remote with the passwords that it wants asked for (`ask_password`, `ask_passphrase`) as its options."""
    if setting.scheme not in _ASKING:
        return setting
    answers = {
        option: ask(f"{option.capitalize()} for {setting.label}: ")
        for asks, option in _ASKED.items()
        if not setting.options.get(option) and setting.get_bool(asks)
    }
    return replace(setting, options={**setting.options, **answers}) if answers else setting


def ask_at_terminal(prompt: str) -> str:
    """Asks for a secret at the terminal, which does not show it.

    Raises:
        RemoteError: There is no terminal.
    """
    if not os.isatty(0):
        raise RemoteError(
            f"there is no terminal to ask at: {prompt.rstrip(': ')}",
            hint="ob remote modify --local NAME password … sets it (or passphrase)",
        )
    answer: str = load("getpass:getpass")(prompt)
    return answer


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Returns a text of a server or library without any secret."""
    for secret in secrets:
        if len(secret) >= _MIN_SECRET:
            text = text.replace(secret, "***")
    return text


def secrets_of(setting: RemoteSetting) -> tuple[str, ...]:
    """Returns the values of a remote that no message may show, a password in its url included."""
    values = [value for option, value in setting.options.items() if option in SECRETS and value]
    user = setting.url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if password := user.partition(":")[2]:
        values += [password, urllib.parse.unquote(password)]
    return tuple(values)


def _name(setting: RemoteSetting) -> str:
    return setting.name or "NAME"
