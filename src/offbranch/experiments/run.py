"""Runs one experiment in a directory: `run_in(project, spec)`, the one path for workspace, temporary copy and queue.

A straight line: overrides -> stages -> execution. It knows neither where the directory came from nor what is done with
the result; `workspace_run.py` and `temporary_run.py` do.
"""

from collections.abc import Mapping, Sequence

from offbranch.base.files import FileReader, atomic_write, read_if_there
from offbranch.base.paths import RepoPath, join
from offbranch.base.records import record
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.loading import load
from offbranch.params.apply import plan_overrides
from offbranch.params.overrides import Override, parse_override
from offbranch.pipeline.execute import RunResult, execute
from offbranch.pipeline.options import RunOptions
from offbranch.pipeline.select import Selection, select_stages
from offbranch.pipeline.stage import Pipelines
from offbranch.pipeline.workbench import Workbench
from offbranch.project import Project


@record
class Outcome:
    """What a run in a directory came to.

    Attributes:
        pipelines: As they were read after the overrides.
        selection: The stages that were considered, in order.
        result: What was done about each.
    """

    pipelines: Pipelines
    selection: Selection
    result: RunResult


def plan_parameter_files(reader: FileReader, overrides: Sequence[Override]) -> dict[RepoPath, bytes]:
    """Returns the new content of every parameter file that overrides change; writes nothing."""
    if not overrides:
        return {}
    planned = plan_overrides(lambda path: read_if_there(reader, path), overrides)
    return {RepoPath(path): content for path, content in planned.items()}


def parse_overrides(spec: ExperimentSpec) -> tuple[Override, ...]:
    """Returns the overrides of a spec as records."""
    return tuple(parse_override(text) for text in spec.overrides)


def write_parameter_files(project: Project, contents: Mapping[RepoPath, bytes]) -> None:
    """Writes new contents of parameter files, each in one step."""
    for path, content in contents.items():
        atomic_write(join(project.root, path), content)


def run_in(project: Project, spec: ExperimentSpec, options: RunOptions, bench: Workbench) -> Outcome:
    """Carries out the stages of an experiment whose overrides are already in the parameter files.

    Returns:
        What was done; a failed stage is in the result, not raised.

    Raises:
        OffbranchError: A file is malformed or a target unknown; nothing has been done then.
    """
    pipelines = load(project)
    selection = select_stages(pipelines, spec.targets, options.select)
    result = execute(selection.stages, pipelines.locks, options.execute, bench, parents=selection.parents)
    return Outcome(pipelines=pipelines, selection=selection, result=result)
