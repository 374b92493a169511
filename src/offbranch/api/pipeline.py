"""Pipelines: reproduce, plan, status, commit, and what they consist of."""

from offbranch.api.running import open_runner
from offbranch.api.session import Session, held, opened, working_directory
from offbranch.base.records import field, record, replace
from offbranch.experiments.loading import load
from offbranch.experiments.placed import outputs_of, remember_outputs
from offbranch.experiments.preview import RefusingRunner
from offbranch.experiments.workbench import make_workbench
from offbranch.pipeline.deciding import facts_of, run_look_up
from offbranch.pipeline.execute import RunResult, execute
from offbranch.pipeline.options import ExecuteOptions, SelectOptions
from offbranch.pipeline.plan import Plan, make_plan
from offbranch.pipeline.select import Selection, select_stages
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project


@record
class ReproRequest:
    """What `ob repro` is asked to do.

    Attributes:
        targets: Stages, files, outputs; empty means the pipeline file of the directory.
        select: How targets are turned into stages; its `cwd` is filled in.
        execute: How they are carried out.
    """

    targets: tuple[str, ...] = ()
    select: SelectOptions = field(default_factory=SelectOptions)
    execute: ExecuteOptions = field(default_factory=ExecuteOptions)


def repro(request: ReproRequest, session: Session) -> RunResult:
    """Brings stages up to date.

    Returns:
        What was done about each stage; a failure is in `RunResult.error`, not raised. What was done before it is kept.

    Raises:
        OffbranchError: A file is malformed or a target unknown; nothing has been done then.
    """
    with held(session, runs_commands=True) as (project, descriptors):
        pipelines, selection = _selected(project, request, session)
        with open_runner(session, log=None, keep_open=descriptors, root=project.root) as runner:
            bench = make_workbench(project, runner=runner, reporter=session.reporter, pull=request.execute.pull)
            result = execute(selection.stages, pipelines.locks, request.execute, bench, parents=selection.parents)
            if request.execute.commit:
                remember_outputs(project, outputs_of(result))
            return result


def plan(request: ReproRequest, session: Session) -> Plan:
    """Returns what `repro` would do and why; changes nothing."""
    with opened(session) as project:
        pipelines, selection = _selected(project, request, session)
        bench = make_workbench(project, runner=RefusingRunner(), reporter=session.reporter)
        return make_plan(
            selection.stages,
            pipelines.locks,
            facts_of(bench, selection.stages),
            request.execute.plan,
            look_up=run_look_up(bench),
            parents=selection.parents,
        )


def _selected(project: Project, request: ReproRequest, session: Session) -> tuple[Pipelines, Selection]:
    loaded = load(project)
    options = replace(request.select, cwd=working_directory(project, session))
    return loaded, select_stages(loaded, request.targets, options)
