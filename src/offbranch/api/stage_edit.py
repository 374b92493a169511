"""Editing dvc.yaml: adding a stage. The rest of the file stays as it is."""

from collections.abc import Mapping
from typing import Any

from offbranch.api.session import Session, held, working_directory
from offbranch.base.errors import ConflictError, UsageError
from offbranch.base.files import atomic_write, read_if_there
from offbranch.base.paths import PIPELINE_FILE, RepoPath, join
from offbranch.base.records import record
from offbranch.experiments.loading import parsing_options
from offbranch.experiments.preview import OverlaidReader
from offbranch.experiments.workbench import source_control
from offbranch.pipeline.edit import add_stage_text
from offbranch.pipeline.graph import build_graph
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.stage import Stage, item_key
from offbranch.pipeline.workbench import SourceControl
from offbranch.project import Project

_PUNCTUATION = frozenset("!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~")


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
        UsageError: The name has characters that addresses and generated names need, or a path is given twice.
        ConflictError: There is such a stage, or its outputs collide with those of another; nothing has been written.
    """
    if not new.name.strip() or not new.name.isprintable() or not _PUNCTUATION.isdisjoint(new.name):
        raise UsageError(f"invalid stage name '{new.name}'", hint="use letters, digits, blanks, '-' and '_'")
    with held(session) as (project, _):
        directory = working_directory(project, session)
        file = RepoPath(f"{directory}/{PIPELINE_FILE}" if directory else PIPELINE_FILE)
        before = read_if_there(project.reader, file)
        text = add_stage_text(before.decode() if before else None, new.name, new.definition, force=new.force)
        stages = _checked(project, file, new.name, text)
        control = source_control(project)
        for stage in stages:
            _check_paths(stage, control)
        atomic_write(join(project.root, file), text.encode())
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


def _check_paths(stage: Stage, control: SourceControl) -> None:
    """Refuses what could only fail when the stage runs."""
    keys = [item_key(stage, dependency) for dependency in stage.deps]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(f"'{key}' is a dependency twice", hint="name it once")
    for out in stage.outs:
        if out.cache and out.path is None and "://" not in out.written:
            raise UsageError(
                f"output '{out.written}' is outside of the project, so it cannot be cached",
                hint="use -O (or -M, --plots-no-cache) for it, or write into the project",
            )
    for path in sorted(control.tracked([out.path for out in stage.outs if out.cache and out.path is not None])):
        raise ConflictError(
            f"output '{path}' is tracked by Git, so it cannot be kept in the cache as well",
            hint=f"git rm -r --cached '{path}', or use -O for it",
        )
