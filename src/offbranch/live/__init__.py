"""The logger for training programs: it runs inside them, writes plain files, and asks `ob` for whatever needs Git.

Nothing heavy is imported here, for a training program pays for every import (docs/formats/live.md). `Live`, `checkpoint` and
the errors are loaded when they are first used.
"""

from collections.abc import Mapping

from offbranch.base.plugins import load

PUBLIC: Mapping[str, str] = {
    "Live": "offbranch.live.logger:Live",
    "checkpoint": "offbranch.live.handoff:checkpoint",
    "LiveError": "offbranch.live.errors:LiveError",
    "InvalidDataTypeError": "offbranch.live.errors:InvalidDataTypeError",
    "InvalidDvcyamlError": "offbranch.live.errors:InvalidDvcyamlError",
    "InvalidImageNameError": "offbranch.live.errors:InvalidImageNameError",
    "InvalidParameterTypeError": "offbranch.live.errors:InvalidParameterTypeError",
    "InvalidPlotTypeError": "offbranch.live.errors:InvalidPlotTypeError",
    "InvalidReportModeError": "offbranch.live.errors:InvalidReportModeError",
}


def __getattr__(name: str) -> object:
    if name not in PUBLIC:
        raise AttributeError(f"module 'offbranch.live' has no attribute '{name}'")
    value: object = load(PUBLIC[name])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})
