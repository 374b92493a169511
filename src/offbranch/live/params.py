"""Parameters of a training program: kept in params.yaml, which is written anew whenever one is added."""

from collections.abc import Iterable, Mapping
from typing import Any

from offbranch.base.errors import BadInputError
from offbranch.base.plugins import load
from offbranch.live.errors import InvalidParameterTypeError
from offbranch.live.values import plain_key, plain_parameter


def plain_parameters(params: Any) -> dict[Any, Any]:
    """Returns parameters as plain data; a namespace, such as that of argparse, counts as a map.

    Raises:
        InvalidParameterTypeError: They are no map, or one of them cannot be represented in YAML.
    """
    if not isinstance(params, Mapping):
        params = _pairs(params)
    return {plain_key(name): plain_parameter(value) for name, value in params.items()}


def params_text(params: Mapping[Any, Any], known: dict[Any, tuple[Any, str]]) -> str:
    """Returns parameters as YAML in block style.

    Args:
        params: All of them.
        known: Value and text of those that have been written before; others are added. A program that logs hundreds one by one
            would else have all of them made into text each time.
    """
    dump = load("offbranch.base.yaml_ruamel:dump")
    texts = []
    for name, value in params.items():
        found = known.get(name)
        if found is None or found[0] is not value:
            found = known[name] = value, dump({name: value})
        texts.append(found[1])
    return "".join(texts) or str(dump({}))


def read_params(path: str) -> dict[str, Any]:
    """Returns the parameters of an earlier program; none where there is no such file, or it is empty or broken."""
    try:
        with open(path, encoding="utf-8") as file:
            value = load("offbranch.base.yaml:load_yaml")(file.read(), path)
    except (OSError, ValueError, BadInputError):
        return {}
    return value if isinstance(value, dict) else {}


def _pairs(params: Any) -> Mapping[Any, Any]:
    try:
        return dict(params) if isinstance(params, Iterable) else dict(vars(params))
    except (TypeError, ValueError) as error:
        raise InvalidParameterTypeError(f"parameters are not a map: {params!r}"[:300]) from error
