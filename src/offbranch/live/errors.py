"""Mistakes in calls of `Live`: the names of DVCLive's errors, each also the built-in error that fits.

Faults of the machine (a full disk, a directory that is gone) are never raised into a training loop: see `live/faults.py`.
"""

from offbranch.base.errors import OffbranchError


class LiveError(OffbranchError):
    """A call of `Live` that makes no sense as given."""


class InvalidDataTypeError(LiveError, TypeError):
    """A value of a type that cannot be logged there."""

    def __init__(self, name: object, value: object) -> None:
        super().__init__(f"Data '{name}' has not supported type {type(value)}")
        self.name = name
        self.val = value


class InvalidParameterTypeError(LiveError, TypeError):
    """A parameter that YAML cannot represent."""


class InvalidImageNameError(LiveError, ValueError):
    """The name of an image without an extension that is known."""

    def __init__(self, name: object) -> None:
        super().__init__(
            f"Cannot log image with name '{name}'", hint="it has to end in .jpg, .jpeg, .gif or .png, in lower case"
        )
        self.name = name


class InvalidPlotTypeError(LiveError, ValueError):
    """A kind of plot that `log_sklearn_plot` does not know."""

    def __init__(self, name: object, known: tuple[str, ...]) -> None:
        super().__init__(f"Plot type '{name}' is not supported.\nSupported types are: {list(known)}")
        self.name = name


class InvalidReportModeError(LiveError, ValueError):
    """A value of `report` that means nothing."""

    def __init__(self, value: object) -> None:
        super().__init__(f"`report` can only be `None`, `auto`, `html`, `notebook` or `md`. Got {value} instead.")
        self.val = value


class InvalidDvcyamlError(LiveError, ValueError):
    """A path for dvc.yaml that has another name."""

    def __init__(self) -> None:
        super().__init__("`dvcyaml` path must have filename 'dvc.yaml'")
