"""Changing how the plot of a stage is drawn, in its dvc.yaml."""

from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.api.session import Session, held, working_directory
from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.files import atomic_write, read_text
from offbranch.base.paths import RepoPath, join, resolve_in
from offbranch.base.records import record
from offbranch.experiments.loading import load
from offbranch.experiments.plot_definitions import shown_path
from offbranch.pipeline.edit_plots import modify_plot_text
from offbranch.pipeline.expand import SEPARATOR
from offbranch.pipeline.schema import PLOT_OPTIONS
from offbranch.pipeline.stage import Output, OutputKind, Pipelines, Stage
from offbranch.views.plot_templates import find_template


@record
class ModifiedPlot:
    """What was changed.

    Attributes:
        stage: Address of the stage whose output it is.
        file: Its dvc.yaml.
        is_changed: Whether that had to be changed.
    """

    stage: str
    file: RepoPath
    is_changed: bool


def modify_plot(
    target: str, session: Session, *, changes: Mapping[str, Any], unset: Sequence[str] = ()
) -> ModifiedPlot:
    """Gives a plot of a stage other options, or takes some away; the rest of the file stays as it is.

    Args:
        target: Path of the output.
        session: Where.
        changes: `template`, `x`, `y`, `header`, `title`, `x_label`, `y_label` with new values.
        unset: Options to take away.

    Raises:
        NotFoundError: No stage has such a plot, there is no such template, or an option is not there to be taken away.
        UsageError: An option does not exist, or there is nothing to do.
    """
    for name in unset:
        if name not in PLOT_OPTIONS:
            raise UsageError(
                f"'{name}' is no option of a plot",
                hint=did_you_mean(name, PLOT_OPTIONS) or f"options: {', '.join(PLOT_OPTIONS)}",
            )
    if not changes and not unset:
        raise UsageError("nothing to change", hint="say what, e.g. --template simple, or --unset title")
    with held(session) as (project, _):
        cwd = working_directory(project, session)
        if "template" in changes:
            find_template(changes["template"], root=project.root, cwd=session.start)
        stage, out = _find(load(project), target, cwd)
        name = str(stage.name).partition(SEPARATOR)[0]
        text = read_text(project.reader, stage.file)
        new = modify_plot_text(text, name, out.written, changes=changes, unset=unset, path=stage.file)
        if new != text:
            atomic_write(join(project.root, stage.file), new.encode())
        return ModifiedPlot(stage=stage.address, file=stage.file, is_changed=new != text)


def _find(pipelines: Pipelines, target: str, cwd: RepoPath) -> tuple[Stage, Output]:
    path = resolve_in(cwd, target)
    outs = [(stage, out) for stage in pipelines.stages for out in stage.outs if out.path is not None]
    for stage, out in outs:
        if out.path != path:
            continue
        if out.kind is not OutputKind.PLOT:
            raise NotFoundError(
                f"'{target}' is an output of stage '{stage.address}', but none of its plots",
                hint=f"list it under 'plots' instead, in '{stage.file}'",
            )
        return stage, out
    plots = [shown_path(str(out.path), cwd) for _, out in outs if out.kind is OutputKind.PLOT]
    if any(target == each.id for each in pipelines.top_plots):
        hint: str | None = "it is defined at the top level of dvc.yaml: edit it there"
    else:
        hint = did_you_mean(target, plots) or (f"plots of stages: {', '.join(plots)}" if plots else None)
    raise NotFoundError(f"no stage has the plot '{target}'", hint=hint)
