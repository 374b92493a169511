"""What Hydra, OmegaConf and YAML raise while parameters are composed, said in one line, with the way out."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from yaml import MarkedYAMLError

from offbranch.base.errors import BadInputError, NotFoundError, OffbranchError, UsageError, near_names
from offbranch.base.paths import AbsPath
from offbranch.params.hydra_source import HydraSource
from offbranch.params.keys import near_keys
from offbranch.params.lookup import flatten

_NO_OPTION = re.compile(r"In '(.*)': Could not (?:find|load) '(.*?)'\.?$", re.MULTILINE).match
_NO_KEY = re.compile(r"Could not override '(.*?)'\.\nTo append to your (?:config|default list) use (.*)").match
_NO_GROUP = re.compile(
    r"Could not override '(.*?)'\.\nDid you mean to override (.*?)\?\nTo append to your default list use (.*)"
).match
_NOTHING_TO_DELETE = re.compile(r"Could not delete (?:from config\. )?'(.*?)'").match
_THERE_ALREADY = re.compile(r"Could not append to config\. An item is already at '(.*?)'").match
_MUST_CHOOSE = re.compile(r"You must specify '(.*?)', e\.g").match
_TWICE = re.compile(r"Multiple values for (.*?)\. To override").match
_NO_REFERENCE = re.compile(r"Interpolation key '(.*?)' not found").match
_SUFFIXES = (".yaml", ".yml")


def missing_source(source: HydraSource, root: AbsPath) -> OffbranchError | None:
    """Returns the error of a source that is not there; a module is only known when it is imported."""
    directory = os.path.join(root, source.config_dir)
    if source.plugins_path and not os.path.isdir(os.path.join(root, source.plugins_path)):
        return NotFoundError(
            f"cannot load plugins of Hydra: there is no directory '{source.plugins_path}'",
            hint="set it right: ob config hydra.plugins_path DIR",
        )
    if source.config_module:
        return None
    if not os.path.isdir(directory):
        return NotFoundError(
            f"cannot compose parameters: there is no directory '{source.config_dir}' (hydra.config_dir)",
            hint="make it, or set another: ob config hydra.config_dir DIR; --no-hydra runs without composing",
        )
    return None if _is_there(directory, source.config_name) else _no_primary(source, directory)


def explained(
    error: BaseException, source: HydraSource, root: AbsPath, overrides: Sequence[str], *, known: Any = None
) -> OffbranchError:
    """Returns an error of ours for what was raised.

    Args:
        error: What was raised.
        source: What was composed.
        root: The project.
        overrides: With what it was composed.
        known: Data that some composition gave, for near names; None where there is none.
    """
    if isinstance(error, MarkedYAMLError):
        return _of_yaml(error, root)
    text = str(error) or str(error.__cause__ or "")
    if isinstance(error, OverrideParseException):
        return _of_syntax(error, overrides)
    if (found := _NO_OPTION(text)) is not None:
        return _no_option(found[1], found[2], source, root)
    if (found := _NO_GROUP(text)) is not None:
        return NotFoundError(
            f"could not choose '{found[1]}': it is not in the defaults list of '{source.primary}'",
            hint=f"did you mean '{found[2]}'? otherwise add it: --set-param '{found[3]}'",
        )
    if (found := _NO_KEY(text)) is not None:
        return _no_key("override", found[1], found[2], source, root, known)
    if (found := _NOTHING_TO_DELETE(text)) is not None and "The value of" not in text:
        return _no_key("delete", found[1], None, source, root, known)
    if (found := _TWICE(text)) is not None:
        return OffbranchError(
            f"could not add '{found[1]}': the defaults list of '{source.primary}' has it already",
            hint=f"to choose another leave the '+' out: --set-param '{found[1]}=NAME'",
        )
    if (found := _THERE_ALREADY(text)) is not None:
        return OffbranchError(
            f"could not add '{found[1]}': '{source.primary}' has it already",
            hint=f"to change it leave the '+' out: --set-param '{found[1]}=VALUE'",
        )
    if (found := _MUST_CHOOSE(text)) is not None:
        return OffbranchError(
            f"cannot compose '{source.primary}': '{found[1]}' must be chosen",
            hint=_choices(found[1].partition("@")[0], source, root, prefix=f"--set-param '{found[1]}=NAME'; "),
        )
    if (found := _NO_REFERENCE(text)) is not None:
        return _no_reference(found[1], overrides, source, known)
    return _of_another(error, text, source)


def _of_another(error: BaseException, text: str, source: HydraSource) -> OffbranchError:
    if isinstance(error, RecursionError):
        text = "it leads in a circle"
    if isinstance(error, ImportError | SyntaxError):
        return OffbranchError(
            f"cannot load the code that '{source.primary}' needs: {_one_line(text)}",
            hint="ob config hydra.plugins_path and hydra.config_module say where it is",
        )
    place = f" at '{key}'" if (key := getattr(error, "full_key", None) or _key_of(error.__cause__)) else ""
    kind = "" if isinstance(error, HydraException) or hasattr(error, "full_key") else f"{type(error).__name__}: "
    return OffbranchError(
        f"cannot compose '{source.primary}'{place}: {kind}{_one_line(text) or type(error).__name__}",
        hint="--no-hydra runs with the parameter files as they are",
    )


def _key_of(error: BaseException | None) -> str | None:
    return getattr(error, "full_key", None) or None


def _of_yaml(error: MarkedYAMLError, root: AbsPath) -> BadInputError:
    mark = error.problem_mark or error.context_mark
    reason = str(error.problem or error.context or "it cannot be read")
    if mark is None:
        return BadInputError(f"not valid YAML: {reason}", path="the configuration of Hydra")
    name = os.fspath(mark.name)
    shown = os.path.relpath(name, root) if name.startswith(root + os.sep) else name
    return BadInputError(f"not valid YAML: {reason}", path=shown, line=mark.line + 1, column=mark.column + 1)


def _of_syntax(error: BaseException, overrides: Sequence[str]) -> UsageError:
    text = next((each for each in overrides if not _is_readable(each)), " ".join(overrides))
    reason = str(error).partition("\nSee ")[0].splitlines()[-1 if "parsing override" in str(error) else 0]
    return UsageError(
        f"invalid value for --set-param '{text}': {_one_line(reason)}",
        hint="put a text with special characters in quotes, e.g. 'KEY=\"a, b\"'",
    )


def _is_readable(text: str) -> bool:
    try:
        OverridesParser.create().parse_override(text)
    except HydraException:
        return False
    return True


def _no_primary(source: HydraSource, directory: str) -> NotFoundError:
    near = near_names(source.config_name, (name for name, is_file in _entries(directory, "") if is_file))
    return NotFoundError(
        f"cannot compose parameters: there is no '{source.primary}' (hydra.config_name)",
        hint=f"did you mean '{near[0]}'? ob config hydra.config_name {near[0]}"
        if near
        else "make it, or set another: ob config hydra.config_name NAME",
    )


def _no_option(where: str, option: str, source: HydraSource, root: AbsPath) -> NotFoundError:
    group, slash, name = option.rpartition("/")
    named = "" if where == source.config_name else f", which '{where}' names"
    what = f"group '{group}' has no '{name}'" if slash else f"there is no '{name}'"
    return NotFoundError(
        f"cannot compose '{source.primary}': {what}{named}",
        hint=_choices(group, source, root, wanted=name),
    )


def _choices(group: str, source: HydraSource, root: AbsPath, *, wanted: str = "", prefix: str = "") -> str | None:
    if source.config_module:
        return None
    names = sorted(name for name, is_file in _entries(os.path.join(root, source.config_dir), group) if is_file)
    near = near_names(wanted, names) if wanted else ()
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"{prefix}there are: {shown}" if names else prefix or None


def _no_key(verb: str, key: str, addition: str | None, source: HydraSource, root: AbsPath, known: Any) -> NotFoundError:
    names = list(near_keys(known, key)) if isinstance(known, dict) else []
    if not source.config_module:
        groups = (name for name, is_file in _entries(os.path.join(root, source.config_dir), "") if not is_file)
        names += [name for name in near_names(key, groups) if name not in names]
    # The key itself where another override has taken it away.
    names = [name for name in names if name != key]
    hint = f"did you mean {' or '.join(map(repr, names))}?" if names else None
    if addition is not None:
        add = f"add it: --set-param '{addition}'"
        hint = f"{hint} otherwise {add}" if hint else f"to {add}"
    return NotFoundError(f"could not {verb} '{key}': it is not in '{source.primary}'", hint=hint)


def _no_reference(key: str, overrides: Sequence[str], source: HydraSource, known: Any) -> NotFoundError:
    data = known if isinstance(known, dict) else {}
    users = [f"--set-param '{each}'" for each in overrides if f"${{{key}" in each]
    users += [f"'{name}'" for name, value in flatten(data) if isinstance(value, str) and f"${{{key}" in value]
    near = [name for name in near_keys(data, key) if name != key]
    return NotFoundError(
        f"cannot compose '{source.primary}': there is no '{key}'{f', which {users[0]} refers to' if users else ''}",
        hint=f"did you mean {' or '.join(map(repr, near))}?" if near else f"to add it: --set-param '+{key}=VALUE'",
    )


def _entries(directory: str, group: str) -> Iterator[tuple[str, bool]]:
    """Yields (name, whether it is a configuration) of what a group has; directories are groups."""
    try:
        with os.scandir(os.path.join(directory, group)) as found:
            for entry in found:
                name, suffix = os.path.splitext(entry.name)
                if entry.is_dir() and not entry.name.startswith((".", "__")):
                    yield entry.name, False
                elif suffix in _SUFFIXES:
                    yield name, True
    except OSError:
        return


def _is_there(directory: str, name: str) -> bool:
    path = os.path.join(directory, name)
    return os.path.isfile(path if name.endswith(_SUFFIXES) else f"{path}.yaml")


def _one_line(text: str) -> str:
    line = text.strip().partition("\n")[0].strip().rstrip(".")
    return line[:1].lower() + line[1:] if line[1:2].islower() else line
