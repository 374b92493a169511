"""What the configuration says of a data remote: its name, where it is, and its options; nothing is opened here.

A url is one of a scheme (`s3://bucket/prefix`, `ssh://host/path`, `https://…`), `remote://other/below` for a place below
another remote, or a path, relative to the directory of the config file that has it.
"""

import os
import posixpath
from collections.abc import Iterable, Mapping

from offbranch.base.config import Config
from offbranch.base.errors import BadInputError, NotFoundError, OffbranchError, UsageError, did_you_mean
from offbranch.base.paths import DVC_DIR, AbsPath, join
from offbranch.base.records import field, record, replace

LOCAL = "local"
REMOTE_SCHEME = "remote"
_PREFIX = 'remote "'
# More would be a circle, or a riddle.
_MAX_HOPS = 8


@record
class RemoteSetting:
    """One data remote.

    Attributes:
        name: As configured, in lower case; empty for a place that a url names without any remote.
        scheme: `local`, or that of the url in lower case.
        url: A path of this machine for `local`, else the url without a slash at its end. May hold a user, never shown with
            a password: see `shown_url`.
        options: Everything else that is configured, by option in lower case.
        origin: The config file that has the url; empty if none has.
        base: Directory that relative paths among the options count from: that of the file; empty if none has.
    """

    name: str
    scheme: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    base: str = ""

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"data remote '{self.name}'" if self.name else f"'{shown_url(self.url)}'"

    def get_bool(self, option: str, default: bool = False) -> bool:
        """Returns an option as a truth value.

        Raises:
            BadInputError: It is neither true nor false.
        """
        value = self.options.get(option)
        if value is None:
            return default
        if (found := _BOOLEANS.get(value.lower())) is None:
            raise self._malformed(option, f"expected true or false, found '{value}'")
        return found

    def get_number(self, option: str, default: float | None = None) -> float | None:
        """Returns an option as a number.

        Raises:
            BadInputError: It is none.
        """
        value = self.options.get(option)
        if value is None:
            return default
        try:
            return float(value)
        except ValueError as error:
            raise self._malformed(option, f"expected a number, found '{value}'") from error

    def below(self, path: str) -> "RemoteSetting":
        """Returns the place of a path (with `/`) below this one, with the same options."""
        separator = os.sep if self.scheme == LOCAL else "/"
        url = f"{self.url.rstrip(separator)}{separator}{path}" if path else self.url
        return replace(self, url=url)

    def _malformed(self, option: str, reason: str) -> BadInputError:
        return BadInputError(reason, path=self.origin or "configuration", key=f"remote.{self.name}.{option}")


def is_versioned(setting: RemoteSetting) -> bool:
    """Tells whether a remote keeps versions of files by their names instead of objects (`storage/versioned.py`)."""
    return setting.get_bool("version_aware") or is_worktree(setting)


def is_worktree(setting: RemoteSetting) -> bool:
    """Tells whether the present versions at a remote are to be a copy of the workspace."""
    return setting.get_bool("worktree")


_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def remote_names(config: Config) -> tuple[str, ...]:
    """Returns the names of all configured data remotes, in the order of the files."""
    names = (
        section[len(_PREFIX) : -1] for section, option in config.settings if section.startswith(_PREFIX) and option
    )
    return tuple(dict.fromkeys(names))


def default_remote(config: Config) -> str | None:
    """Returns the name of the default data remote."""
    name = config.get("core", "remote")
    return name.lower() if name else None


def resolve_remote(config: Config, name: str | None, *, root: AbsPath) -> RemoteSetting:
    """Returns a data remote by name, or (None) the default one.

    Args:
        config: The configuration; for data of another revision, the one of that revision.
        name: In any case of letters.
        root: Of the project: what paths of its config files are relative to.

    Raises:
        UsageError: None is named and there is no default.
        NotFoundError: None has that name.
        BadInputError: Its settings make no sense.
    """
    wanted = name.lower() if name is not None else default_remote(config)
    if wanted is None:
        raise UsageError(
            "no data remote is named, and the project has no default one",
            hint="ob remote add -d NAME URL makes one; -r NAME names one",
        )
    return _resolve(config, wanted, root, _MAX_HOPS)


def resolve_url(config: Config, url: str, *, root: AbsPath, base: AbsPath) -> RemoteSetting:
    """Returns the place that a url or path stands for, with the options of a configured remote that contains it.

    Args:
        config: The configuration.
        url: A url, `remote://name/path`, or a path.
        root: Of the project.
        base: The directory that a path is relative to.

    Raises:
        NotFoundError: It names a remote that does not exist.
    """
    scheme, rest = _split(url)
    if scheme == REMOTE_SCHEME:
        name, _, below = rest.partition("/")
        return _resolve(config, name.lower(), root, _MAX_HOPS).below(below)
    if scheme == LOCAL:
        return RemoteSetting(name="", scheme=LOCAL, url=os.path.normpath(os.path.join(base, os.path.expanduser(rest))))
    for name in remote_names(config):
        try:
            setting = _resolve(config, name, root, _MAX_HOPS)
        except OffbranchError:  # what is wrong with another remote is told when that one is used
            continue
        if setting.scheme == scheme and (url == setting.url or url.startswith(f"{setting.url.rstrip('/')}/")):
            return replace(setting, name="", url=url.rstrip("/"))
    return RemoteSetting(name="", scheme=scheme, url=url.rstrip("/"))


def shown_url(url: str) -> str:
    """Returns a url as messages may show it: without password, and without what stands after `?`."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    rest = rest.partition("?")[0]
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    user = user.partition(":")[0]
    return f"{scheme}://{user}{at}{host}{slash}{path}"


def is_url(text: str) -> bool:
    """Tells whether a text has a scheme, so is no path."""
    return _split(text)[0] != LOCAL


def _split(url: str) -> tuple[str, str]:
    scheme, mark, rest = url.partition("://")
    if not mark or not scheme.replace("+", "").replace("-", "").isalnum():
        return LOCAL, url
    return (LOCAL, rest) if scheme.lower() == "file" else (scheme.lower(), rest)


def _resolve(config: Config, name: str, root: AbsPath, hops: int) -> RemoteSetting:
    section = f'{_PREFIX}{name}"'
    found = config.settings.get((section, "url"))
    if found is None:
        raise _unknown(config, name, section)
    scheme, rest = _split(found.value)
    options = {option: setting.value for (part, option), setting in config.settings.items() if part == section}
    del options["url"]
    if scheme == REMOTE_SCHEME:
        if not hops:
            raise BadInputError(
                "it refers to itself through other remotes",
                path=found.origin,
                line=found.line,
                key=f"remote.{name}.url",
            )
        other, _, below = rest.partition("/")
        outer = _resolve(config, other.lower(), root, hops - 1)
        if outer.scheme == LOCAL:
            below = posixpath.normpath(below) if below else ""
        made = outer.below(below)
        return replace(made, name=name, options={**made.options, **options})
    base = os.path.dirname(found.origin) if os.path.isabs(found.origin) else join(root, DVC_DIR)
    url = found.value.rstrip("/")
    if scheme == LOCAL:
        url = os.path.normpath(os.path.join(base, os.path.expanduser(rest)))
    return RemoteSetting(name=name, scheme=scheme, url=url, options=options, origin=found.origin, base=base)


def _unknown(config: Config, name: str, section: str) -> Exception:
    known = remote_names(config)
    if any(part == section for part, _ in config.settings):
        return UsageError(f"the data remote '{name}' has no url", hint=f"ob remote modify {name} url URL")
    return NotFoundError(f"there is no data remote '{name}'", hint=_hint(name, known))


def _hint(name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    return did_you_mean(name, known) or (
        f"known: {', '.join(known)}" if known else f"ob remote add {name} URL makes one"
    )
