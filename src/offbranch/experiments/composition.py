"""Parameters composed by Hydra, as part of an experiment: from the configuration of a project to the files of a trial.

`open_planner` is the one way from overrides to new contents of parameter files, composed or not; it is opened once for any
number of trials. An experiment that was composed holds the sources, and its commit says how it was done
(docs/formats/experiment-commits.md).
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from offbranch.base.errors import BadInputError
from offbranch.base.events import Reporter, Warned
from offbranch.base.files import FileReader, read_if_there
from offbranch.base.paths import PARAMS_FILE, RepoPath, absolute, relative_to
from offbranch.base.plugins import load
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.run import parse_overrides, plan_parameter_files
from offbranch.params.apply import file_of
from offbranch.params.hydra_source import DEFAULT_DIR, DEFAULT_NAME, Compose, HydraSource
from offbranch.params.overrides import Override, text_for_hydra
from offbranch.params.sweep import OptionsOf
from offbranch.project import Project

COMPOSITION_HEADER: Final = "ob-composition"
COMPOSITION_VERSION: Final = 1
# The overrides of one trial -> new content of every parameter file that changes.
Planner = Callable[[Sequence[Override]], dict[RepoPath, bytes]]


def hydra_source_of(project: Project) -> HydraSource | None:
    """Returns how a project composes its parameters, None where it does not.

    Raises:
        BadInputError: The configuration contradicts itself.
    """
    config = project.config
    if not config.get_bool("hydra", "enabled"):
        return None
    module = config.get("hydra", "config_module")
    directory = config.settings.get(("hydra", "config_dir"))
    if module is not None and directory is not None:
        raise BadInputError(
            "only one of config_dir and config_module can be where the configuration is",
            path=directory.origin,
            line=directory.line,
            key="hydra.config_dir",
            hint="ob config --unset hydra.config_dir",
        )
    return HydraSource(
        config_dir=config.get("hydra", "config_dir") or DEFAULT_DIR,
        config_module=module or None,
        config_name=config.get("hydra", "config_name") or DEFAULT_NAME,
        plugins_path=config.get("hydra", "plugins_path") or None,
    )


@contextmanager
def open_planner(project: Project, source: HydraSource | None, reporter: Reporter) -> Iterator[Planner]:
    """Opens the way from the overrides of a trial (no sweeps) to the new contents of its parameter files.

    Args:
        project: Its files are read, none is written.
        source: How params.yaml is composed; None where it is changed like every other file.
        reporter: Takes what Hydra warns of.

    Yields:
        A function for any number of trials; it raises OffbranchError as `plan_overrides` does, and for all that is wrong
        with the configuration.

    Raises:
        OffbranchError: There is no such configuration.
    """
    if source is None:
        yield lambda overrides: plan_parameter_files(project.reader, overrides)
        return
    told: set[str] = set()

    def warn(text: str) -> None:
        if text not in told:
            told.add(text)
            reporter.emit(Warned(text=f"Hydra: {text}"))

    with load("offbranch.params.compose_hydra:open_composer")(source, project.root, warn=warn) as compose:
        yield lambda overrides: _composed(project.reader, overrides, compose)


def group_options(project: Project, source: HydraSource | None, reporter: Reporter) -> OptionsOf | None:
    """Returns what knows the options of the groups of a configuration; None where there is none."""
    if source is None:
        return None

    def options_of(group: str) -> Sequence[str] | None:
        found: Sequence[str] | None = load("offbranch.params.compose_hydra:options_of_group")(
            source, project.root, group, warn=lambda text: reporter.emit(Warned(text=f"Hydra: {text}"))
        )
        return found

    return options_of


def source_files(project: Project, source: HydraSource | None) -> tuple[RepoPath, ...]:
    """Returns what belongs into an experiment that was composed: params.yaml first, then files and directories of its sources.

    What lies outside of the project is left out.
    """
    if source is None:
        return ()
    paths = [source.config_module.replace(".", "/") if source.config_module else source.config_dir]
    if source.plugins_path is not None:
        paths.append(os.path.join(source.plugins_path, "hydra_plugins"))
    inside = (relative_to(absolute(path, base=project.root), project.root) for path in paths)
    return (RepoPath(PARAMS_FILE), *(path for path in inside if path))


def composition_headers(spec: ExperimentSpec) -> tuple[tuple[str, str], ...]:
    """Returns what the commit of an experiment says of how its params.yaml was composed; nothing where it was not."""
    source = spec.hydra
    if source is None:
        return ()
    own = [text_for_hydra(each) for each in parse_overrides(spec) if file_of(each) == PARAMS_FILE]
    record = {
        "version": COMPOSITION_VERSION,
        "config_dir": None if source.config_module else source.config_dir,
        "config_module": source.config_module,
        "config_name": source.config_name,
        "plugins_path": source.plugins_path,
        "overrides": own,
    }
    return ((COMPOSITION_HEADER, json.dumps(record)),)


def _composed(reader: FileReader, overrides: Sequence[Override], compose: Compose) -> dict[RepoPath, bytes]:
    own = [each for each in overrides if file_of(each) == PARAMS_FILE]
    others = [each for each in overrides if file_of(each) != PARAMS_FILE]
    path, content = RepoPath(PARAMS_FILE), compose([text_for_hydra(each) for each in own]).encode()
    composed = {} if read_if_there(reader, path) == content else {path: content}
    return composed | plan_parameter_files(reader, others)
