"""Late loading by name: the only use of importlib.

Commands, optional dependencies and adapters are named in tables of strings `module:attribute`, so that a start-up loads
only what it needs; a test resolves every entry of every table.
"""

from importlib import import_module
from typing import Any

from offbranch.base.errors import OffbranchError


def load(target: str, *, extra: str | None = None) -> Any:
    """Returns the object that `module:attribute` (or just `module`) names.

    Args:
        target: Where it is.
        extra: The optional dependency set that brings it, named to the user when it is not installed.

    Raises:
        OffbranchError: The module of an optional dependency is not installed.
    """
    module, _, attribute = target.partition(":")
    try:
        # Not from sys.modules: there are also those that another thread is just loading.
        loaded = import_module(module)
    except ModuleNotFoundError as error:
        if extra is None or (error.name or "").startswith("offbranch"):
            raise
        raise OffbranchError(
            f"this needs the optional dependency '{error.name}', which is not installed",
            hint=f"pip install 'offbranch[{extra}]'",
        ) from error
    return getattr(loaded, attribute) if attribute else loaded


def load_first(*targets: str) -> Any:
    """Returns the first object of several names whose package is installed: libraries change their names.

    Raises:
        ModuleNotFoundError: None of them is.
    """
    for target in targets[:-1]:
        try:
            return load(target)
        except ModuleNotFoundError as error:
            package = target.partition(":")[0].partition(".")[0]
            if (error.name or "").partition(".")[0] != package:
                raise
    return load(targets[-1])
