"""Parameters composed by Hydra: a directory or module of configuration, and overrides, to the text of params.yaml.

Loaded by name where a project asks for it (`hydra.enabled`), for Hydra takes some 100 ms to import. A composer is opened
once and composes many trials: what the choices of groups come to is remembered, so that a trial that only changes values
costs milliseconds. The text is the one that DVC writes, to the byte.
"""

import copy
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime, setup_globals
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from offbranch.base.paths import AbsPath
from offbranch.params.compose_hydra_errors import explained, missing_source
from offbranch.params.hydra_source import Compose, HydraSource
from offbranch.params.overrides_hydra import override_parser

# What an application is called where Hydra wants a name; DVC leaves it at Hydra's default too.
_JOB = "app"
# Beside Hydra's own errors: what plugins, resolvers and modules of the project may raise.
_RAISED = (
    HydraException,
    OmegaConfBaseException,
    YAMLError,
    OSError,
    ImportError,
    SyntaxError,
    NameError,
    AssertionError,
    AttributeError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    RuntimeError,
)


@contextmanager
def open_composer(source: HydraSource, root: AbsPath, *, warn: Callable[[str], None]) -> Iterator[Compose]:
    """Opens a composer; code of the project is imported: plugins, and the module that holds the configuration.

    Args:
        source: Where the configuration is.
        root: Directory of the project; relative paths, also those of `hydra.searchpath`, count from it.
        warn: Takes what Hydra warns of, one line each.

    Yields:
        A function from the overrides of one trial (no sweeps, no file names) to the text of params.yaml. It raises
        OffbranchError for everything that is wrong with the configuration or the overrides.

    Raises:
        OffbranchError: There is no such directory or module, or a plugin cannot be loaded.
    """
    with _opened(source, root, warn) as composer:
        yield composer.compose


@contextmanager
def _opened(source: HydraSource, root: AbsPath, warn: Callable[[str], None]) -> Iterator["_Composer"]:
    problem = missing_source(source, root)
    if problem is not None:
        raise problem
    with _state_of_hydra(), _imports(source, root):
        try:
            version.setbase(None)
            with _warnings_to(warn):
                loader = _open_loader(source, root)
        except _RAISED as error:
            raise explained(error, source, root, ()) from error
        yield _Composer(loader, source, root, warn)


def options_of_group(
    source: HydraSource, root: AbsPath, group: str, *, warn: Callable[[str], None]
) -> tuple[str, ...] | None:
    """Returns the options of a group in the order of their names; None where there is no such group.

    Args:
        source, root, warn: As for `open_composer`.
        group: Path of the group, with `/`; a package after `@` does not count.

    Raises:
        OffbranchError: As `open_composer`.
    """
    with _opened(source, root, warn) as composer:
        return composer.options_of(group.partition("@")[0])


class _Composer:
    """Composes trials of one configuration; what the choices of groups come to is kept."""

    def __init__(
        self, loader: ConfigLoaderImpl, source: HydraSource, root: AbsPath, warn: Callable[[str], None]
    ) -> None:
        self._loader = loader
        self._source = source
        self._root = root
        self._warn = warn
        self._parser = override_parser()
        self._groups: IConfigRepository | None = None
        self._chosen: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, overrides: Sequence[str]) -> str:
        """Returns the text of params.yaml for the overrides of one trial."""
        try:
            with _warnings_to(self._warn):
                config = self._compose(list(overrides))
                OmegaConf.resolve(config)
                return str(OmegaConf.to_yaml(config))
        except (*_RAISED, RecursionError) as error:
            raise explained(error, self._source, self._root, overrides, known=self._known()) from error

    def options_of(self, group: str) -> tuple[str, ...] | None:
        """Returns the options of a group, None where there is no such group."""
        try:
            with _warnings_to(self._warn):
                if not self._known_groups().group_exists(group):
                    return None
                return tuple(sorted(self._known_groups().get_group_options(group)))
        except _RAISED as error:
            raise explained(error, self._source, self._root, ()) from error

    def _compose(self, overrides: list[str]) -> DictConfig:
        """Composes with the overrides that choose, then changes values: the order in which Hydra does it."""
        parsed = self._parser.parse_overrides(overrides)
        if any(each.key_or_group == "hydra.searchpath" for each in parsed):
            # It decides which groups there are.
            return self._load(overrides)
        chosen = tuple(each.input_line or "" for each in parsed if not self._is_value(each))
        values = [each for each in parsed if self._is_value(each)]
        self._loader.validate_sweep_overrides_legal(overrides=values, run_mode=RunMode.RUN, from_shell=False)
        if chosen not in self._chosen:
            self._chosen[chosen] = self._load(list(chosen))
        config = copy.deepcopy(self._chosen[chosen])
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        return config

    def _load(self, overrides: list[str]) -> DictConfig:
        config = self._loader.load_configuration(
            config_name=self._source.config_name, overrides=overrides, run_mode=RunMode.RUN, from_shell=False
        )
        with open_dict(config):
            del config["hydra"]
        return config

    def _is_value(self, override: Override) -> bool:
        """Tells whether an override changes a value, and not what is composed."""
        key = override.key_or_group
        if override.package is not None or "/" in key or key == "hydra" or key.startswith("hydra."):
            return False
        return isinstance(override._value, dict) or not self._known_groups().group_exists(key)

    def _known_groups(self) -> IConfigRepository:
        if self._groups is None:
            _, self._groups = self._loader._parse_overrides_and_create_caching_repo(self._source.config_name, [])
        return self._groups

    def _known(self) -> Any:
        """Returns what the configuration comes to without any override, for near names; None if that fails too."""
        try:
            with _warnings_to(_ignore):
                return OmegaConf.to_container(self._load([]), resolve=False)
        except (*_RAISED, RecursionError):
            return None


class _Repository(ConfigRepository):
    """A repository whose relative directories count from the project instead of the current directory.

    It reads each file once for all compositions: Hydra makes a copy of it for each, and these share what was read.
    """

    def __init__(self, search_path: ConfigSearchPath, root: AbsPath) -> None:
        self._root = root
        self._loaded: dict[tuple[str, ...], ConfigResult | None] = {}
        super().__init__(search_path)

    def __deepcopy__(self, _: dict[int, Any]) -> "_Repository":
        made = copy.copy(self)
        made.sources = list(self.sources)
        return made

    def load_config(self, config_path: str) -> ConfigResult | None:
        # Another search path, from the primary configuration or an override, means other files.
        key = (config_path, *(each.path for each in self.sources))
        if key not in self._loaded:
            self._loaded[key] = super().load_config(config_path)
        return copy.deepcopy(self._loaded[key])  # a composition changes what it gets

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        super().initialize_sources(config_search_path)
        for each in self.sources:
            if each.scheme() == "file":
                each.path = os.path.join(self._root, each.path)


def _open_loader(source: HydraSource, root: AbsPath) -> ConfigLoaderImpl:
    setup_globals()
    JobRuntime().set("name", _JOB)
    where = f"pkg://{source.config_module}" if source.config_module else os.path.join(root, source.config_dir)
    loader = ConfigLoaderImpl(config_search_path=create_config_search_path(search_path_dir=where))
    loader.repository = _Repository(loader.config_search_path, root)
    return loader


@contextmanager
def _imports(source: HydraSource, root: AbsPath) -> Iterator[None]:
    """Lets Python find plugins, and modules of the project; afterwards Hydra has forgotten the plugins."""
    wanted = [os.path.join(root, source.plugins_path)] if source.plugins_path else []
    if source.config_module:
        wanted.append(root)
    new = [path for path in wanted if path not in sys.path]
    loaded = frozenset(sys.modules)
    sys.path[:0] = new
    if source.plugins_path:
        _forget_plugins()
    try:
        yield
    finally:
        sys.path[:] = [path for path in sys.path if path not in new]
        if source.plugins_path:
            _forget_plugins()
            for name in set(sys.modules) - loaded:
                if name.partition(".")[0] == "hydra_plugins":
                    del sys.modules[name]


def _forget_plugins() -> None:
    """Has Hydra look for plugins anew when it next needs them."""
    if Plugins in Singleton._instances:
        del Singleton._instances[Plugins]


@contextmanager
def _state_of_hydra() -> Iterator[None]:
    """Leaves what Hydra keeps for the whole process as it was: we may be inside of somebody's application."""
    base, runtime = version.VersionBase.instance(), JobRuntime.instance()
    old_base, old_runtime = base.getbase(), copy.copy(runtime.conf)
    try:
        yield
    finally:
        base.version_base = old_base
        runtime.conf = old_runtime


@contextmanager
def _warnings_to(warn: Callable[[str], None]) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            texts = dict.fromkeys(" ".join(str(each.message).split()) for each in caught)
    for text in texts:
        warn(text)


def _ignore(text: str) -> None:
    """Takes a warning that was told before."""
