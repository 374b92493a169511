"""Editing dvc.yaml: adding a stage. The rest of the file stays as it is."""

from collections.abc import Mapping
from typing import Any

from offbranch.api.session import Session, held, working_directory
from offbranch.base.errors import UsageError
from offbranch.base.files import atomic_write, read_if_there
from offbranch.base.paths import PIPELINE_FILE, RepoPath, join
from offbranch.base.records import record
from offbranch.experiments.loading import parsing_options
from offbranch.experiments.preview import OverlaidReader
from offbranch.experiments.workbench import source_control
from offbranch.pipeline.edit import add_stage_text
from offbranch.pipeline.graph import build_graph
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.stage import Stage
from offbranch.project import Project

_ALLOWED = "letters, digits, '-' and '_'"


@record
class NewStage:
    """A stage to add.

    Attributes:
        name: Its name.
        definition: Its keys as dvc.yaml has them.
        force: Replaces a stage of this name.
    """

    name: str
    definition: Mapping[str, Any]
    force: bool = False


def add_stage(new: NewStage, session: Session) -> RepoPath:
    """Adds a stage to the dvc.yaml of the session's directory, and ignore entries for what it keeps in the cache.

    Returns:
        The dvc.yaml.

    Raises:
        UsageError: The name has characters that generated names need.
        ConflictError: There is such a stage, or its outputs collide with those of another; nothing has been written.
    """
    if not new.name or not all(char.isalnum() or char in "-_" for char in new.name):
        raise UsageError(f"invalid stage name '{new.name}'", hint=f"use {_ALLOWED}")
    with held(session) as (project, _):
        directory = working_directory(project, session)
        file = RepoPath(f"{directory}/{PIPELINE_FILE}" if directory else PIPELINE_FILE)
        before = read_if_there(project.reader, file)
        text = add_stage_text(before.decode() if before else None, new.name, new.definition, force=new.force)
        stages = _checked(project, file, new.name, text)
        atomic_write(join(project.root, file), text.encode())
        control = source_control(project)
        paths = [out.path for stage in stages for out in stage.outs if out.cache and out.path is not None]
        control.ignore([path for path in paths if path in control.unignored(paths)])
        return file


def _checked(project: Project, file: RepoPath, name: str, text: str) -> tuple[Stage, ...]:
    """Makes sure that the project is still sound with the new text; returns the stages of that name."""
    reader = OverlaidReader(project.reader, {file: text.encode()})
    pipelines = load_pipelines(
        reader, ignores=project.ignore.ignores, options=parsing_options(project), root=project.root
    )
    if file in pipelines.broken:
        raise pipelines.broken[file]
    build_graph(pipelines.stages)
    return tuple(stage for stage in pipelines.stages if stage.file == file and stage.name == name)
