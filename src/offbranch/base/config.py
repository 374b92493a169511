"""Configuration: the text of up to four files -> one frozen `Config`.

The files are those of DVC (system, user, project, project-local; the later wins, key by key), an INI style with
indented keys and sections such as `['remote "store"']`. Section and option names are case-insensitive. Reading only;
nothing here opens a file.
"""

from collections.abc import Iterable, Mapping

from offbranch.base.config_text import Header, scan
from offbranch.base.errors import BadInputError, near_names
from offbranch.base.records import record

_ANY = None
# Options per section, None where any is allowed: remotes have many per scheme, obsolete sections must only be accepted.
KNOWN: Mapping[str, frozenset[str] | None] = {
    "core": frozenset(
        "remote checksum_jobs interactive analytics hardlink_lock no_scm autostage check_update site_cache_dir"
        " experiments machine".split()
    ),
    "cache": frozenset("dir type shared slow_link_warning verify local s3 gs ssh azure hdfs webhdfs protected".split()),
    "exp": frozenset("auto_push git_remote strict_baseline checkpoint checkpoint_keep code datetime".split()),
    "plots": frozenset("html_template auto_open out_dir".split()),
    "parsing": frozenset("bool list".split()),
    "hydra": frozenset("enabled config_dir config_module config_name plugins_path".split()),
    "studio": frozenset("token url repo_url offline".split()),
    "state": _ANY,
    "index": _ANY,
    "machine": _ANY,
    "feature": _ANY,
    "remote": _ANY,
    "db": _ANY,
}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@record
class Setting:
    """One value and the file it comes from (`origin`, as the user knows it)."""

    value: str
    origin: str
    line: int


@record
class Config:
    """The merged configuration.

    Attributes:
        settings: (section, option) -> setting; a remote's section is `remote "name"`.
    """

    settings: Mapping[tuple[str, str], Setting]

    def get(self, section: str, option: str, default: str | None = None) -> str | None:
        """Returns a value as text."""
        found = self.settings.get((section, option))
        return default if found is None else found.value

    def get_bool(self, section: str, option: str, default: bool = False) -> bool:
        """Returns a value as a truth value.

        Raises:
            BadInputError: It is neither true nor false.
        """
        found = self.settings.get((section, option))
        if found is None:
            return default
        if (value := _BOOLEANS.get(found.value.lower())) is None:
            raise BadInputError(
                f"expected true or false, found '{found.value}'",
                path=found.origin,
                line=found.line,
                key=f"{section}.{option}",
            )
        return value

    def choice(self, section: str, option: str, allowed: Iterable[str], default: str) -> str:
        """Returns a value that must be one of a few.

        Raises:
            BadInputError: It is another one.
        """
        found = self.settings.get((section, option))
        if found is None:
            return default
        names = tuple(allowed)
        if found.value not in names:
            raise BadInputError(
                f"expected one of {', '.join(names)}, found '{found.value}'",
                path=found.origin,
                line=found.line,
                key=f"{section}.{option}",
            )
        return found.value


EMPTY = Config(settings={})


def parse_config(text: str, *, origin: str) -> dict[tuple[str, str], Setting]:
    """Returns the settings of one config file.

    Raises:
        BadInputError: A line is no section, option or comment; or a section or option is unknown.
    """
    settings: dict[tuple[str, str], Setting] = {}
    for part in scan(text, origin=origin):
        if isinstance(part, Header):
            check_section(part.section, path=origin, line=part.line)
        else:
            check_option(part.section, part.option, path=origin, line=part.line)
            settings[part.section, part.option] = Setting(value=part.value, origin=origin, line=part.line)
    return settings


def merge_configs(levels: Iterable[Mapping[tuple[str, str], Setting]]) -> Config:
    """Returns one configuration of several levels, the later winning key by key."""
    merged: dict[tuple[str, str], Setting] = {}
    for level in levels:
        merged.update(level)
    return Config(settings=merged)


def settings_of(config: Mapping[str, object], *, origin: str) -> dict[tuple[str, str], Setting]:
    """Returns a configuration given as nested maps (`{"remote": {"store": {"url": ...}}, "core": {...}}`).

    Args:
        config: Section -> option -> value; in `remote` and the like: name -> option -> value. What is no map is left out.
        origin: What relative paths in it are relative to, as the path of a file.
    """
    found: dict[tuple[str, str], Setting] = {}
    for section, options in config.items():
        if not isinstance(options, Mapping):
            continue
        for option, value in options.items():
            inner = value.items() if isinstance(value, Mapping) else ((None, value),)
            for name, text in inner:
                key = (section, str(option)) if name is None else (f'{section} "{option}"', str(name))
                found[key[0].lower(), key[1].lower()] = Setting(value=str(text), origin=origin, line=0)
    return found


def check_section(section: str, *, path: str, line: int | None = None) -> None:
    """Makes sure that there is such a section.

    Raises:
        BadInputError: There is none; near names are offered.
    """
    kind = section.partition(" ")[0]
    if kind not in KNOWN:
        names = near_names(kind, KNOWN)
        raise BadInputError(
            f"unknown section '{section}'",
            path=path,
            line=line,
            key=section,
            hint=f"did you mean '{names[0]}'?" if names else "known sections: " + ", ".join(sorted(KNOWN)),
        )


def check_option(section: str, option: str, *, path: str, line: int | None = None) -> None:
    """Makes sure that a section may hold an option.

    Raises:
        BadInputError: It may not; near names are offered.
    """
    known = KNOWN[section.partition(" ")[0]]
    if known is not None and option not in known:
        names = near_names(option, known)
        raise BadInputError(
            "unknown option",
            path=path,
            line=line,
            key=f"{section}.{option}",
            hint=f"did you mean '{names[0]}'?" if names else "known options: " + ", ".join(sorted(known)),
        )
