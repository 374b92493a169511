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


def params_text(params: Mapping[Any, Any]) -> str:
    """Returns parameters as YAML in block style."""
    text: str = load("offbranch.base.yaml_ruamel:dump")(dict(params))
    return text


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
