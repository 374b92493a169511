"""Where a project that composes its parameters with Hydra keeps its configuration. Only the record: Hydra is not loaded."""

from collections.abc import Callable, Sequence
from typing import Final

from offbranch.base.records import record

DEFAULT_DIR: Final = "conf"
DEFAULT_NAME: Final = "config"
# Texts of overrides without a file name -> the composed parameters as YAML.
Compose = Callable[[Sequence[str]], str]


@record
class HydraSource:
    """The section `[hydra]` of the configuration, of a project that uses it.

    Attributes:
        config_dir: Directory of the configuration, relative to the project or absolute; unused where there is a module.
        config_module: Python module that holds it instead.
        config_name: The primary configuration, a file of either, with or without `.yaml`.
        plugins_path: Directory whose `hydra_plugins` Hydra loads, relative to the project or absolute.
    """

    config_dir: str = DEFAULT_DIR
    config_module: str | None = None
    config_name: str = DEFAULT_NAME
    plugins_path: str | None = None

    @property
    def primary(self) -> str:
        """The primary configuration as messages name it."""
        name = self.config_name.removesuffix(".yaml")
        return f"{self.config_module}:{name}" if self.config_module else f"{self.config_dir}/{name}.yaml"
