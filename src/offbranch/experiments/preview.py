"""What a run would do and why, without doing anything: the plan over the files as the overrides would make them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

from offbranch.base.events import NullReporter, Reporter
from offbranch.base.files import FileReader
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.records import record
from offbranch.experiments.composition import open_planner
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.go_on import find_beginning, with_going_on
from offbranch.experiments.loading import keep_listings, parsing_options
from offbranch.experiments.run import parse_overrides, plan_parameter_files
from offbranch.experiments.workbench import make_workbench
from offbranch.pipeline.deciding import facts_of, run_look_up
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.options import RunOptions
from offbranch.pipeline.plan import Plan, make_plan
from offbranch.pipeline.runner import CommandPool, CommandRunner
from offbranch.pipeline.select import Selection, select_stages
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project


class OverlaidReader:
    """Files of a tree, some of them with other content, as `FileReader`."""

    def __init__(self, below: FileReader, above: Mapping[RepoPath, bytes]) -> None:
        self.below = below
        self.above = above

    def read_bytes(self, path: RepoPath) -> bytes:
        return self.above[path] if path in self.above else self.below.read_bytes(path)

    def is_file(self, path: RepoPath) -> bool:
        return path in self.above or self.below.is_file(path)

    def is_dir(self, path: RepoPath) -> bool:
        return self.below.is_dir(path)

    def list_dir(self, path: RepoPath) -> tuple[tuple[str, bool], ...]:
        prefix = f"{path}/" if path else ""
        new = {name[len(prefix) :] for name in self.above if name.startswith(prefix)}
        found = dict(self.below.list_dir(path))
        found.update((name, False) for name in new if "/" not in name)
        return tuple(sorted(found.items()))


class RefusingRunner:
    """Runs nothing: for looking ahead."""

    def run(self, command: str, *, cwd: AbsPath, env: Mapping[str, str]) -> int:
        """Is never called by a plan."""
        raise AssertionError(f"a plan does not run commands: {command}")

    def open_pool(self) -> AbstractContextManager[CommandPool]:
        """Is never called by a plan."""
        raise AssertionError("a plan does not run commands")


@record
class Ahead:
    """What a run would find, with its overrides applied in memory only.

    Attributes:
        written: New content of the parameter files that the overrides change.
    """

    written: dict[RepoPath, bytes]
    reader: FileReader
    pipelines: Pipelines
    selection: Selection


def look_ahead(
    project: Project, spec: ExperimentSpec, options: RunOptions, reporter: Reporter, files: FileReader | None = None
) -> Ahead:
    """Reads what a run would read and chooses its stages, so that anything wrong is known before anything is done.

    Args:
        files: Instead of the workspace, what a run begins with that goes on from a checkpoint: nothing is composed then.

    Raises:
        OffbranchError: A file is malformed, an override impossible, the parameters cannot be composed, or a target is
            unknown.
    """
    if files is not None:
        return look_ahead_with(project, spec, options, plan_parameter_files(files, parse_overrides(spec)), files)
    with open_planner(project, spec.hydra, reporter) as plan_files:
        written = plan_files(parse_overrides(spec))
    return look_ahead_with(project, spec, options, written)


def look_ahead_with(
    project: Project,
    spec: ExperimentSpec,
    options: RunOptions,
    written: dict[RepoPath, bytes],
    files: FileReader | None = None,
) -> Ahead:
    """Does the same for parameter files whose new content is known.

    Args:
        files: Instead of the workspace.

    Raises:
        OffbranchError: A file is malformed or a target unknown.
    """
    files = files or project.reader
    reader: FileReader = OverlaidReader(files, written) if written else files
    pipelines = load_pipelines(
        reader, ignores=project.ignore.ignores, options=parsing_options(project), root=project.root
    )
    keep_listings(pipelines, project.cache)
    selection = select_stages(pipelines, spec.targets, options.select)
    return Ahead(written=written, reader=reader, pipelines=pipelines, selection=selection)


def preview_run(
    project: Project, spec: ExperimentSpec, options: RunOptions, reporter: Reporter, files: FileReader | None = None
) -> Plan:
    """Returns the plan of an experiment; `files` are those of a run that goes on from a checkpoint.

    Raises:
        OffbranchError: A file is malformed, an override impossible or a target unknown.
    """
    ahead = look_ahead(project, spec, options, reporter, files)
    reader, pipelines, selection = ahead.reader, ahead.pipelines, ahead.selection
    runner: CommandRunner = RefusingRunner()
    bench = make_workbench(project, runner=runner, reporter=NullReporter(), reader=reader)
    bench = with_going_on(project, bench, find_beginning(project, spec), options.execute)
    return make_plan(
        selection.stages,
        pipelines.locks,
        facts_of(bench, selection.stages),
        options.execute.plan,
        look_up=run_look_up(bench),
        parents=selection.parents,
        going_on=bench.going_on,
    )
