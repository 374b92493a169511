"""Which stages a command with targets is about, where no targets means the whole project."""

from collections.abc import Sequence

from offbranch.api.session import Session, working_directory
from offbranch.pipeline.options import SelectOptions
from offbranch.pipeline.select import Selection, select_stages
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project


def select_for(
    project: Project,
    session: Session,
    pipelines: Pipelines,
    targets: Sequence[str],
    *,
    with_deps: bool,
    recursive: bool,
) -> Selection:
    """Returns the stages that targets name, or all of the project.

    Args:
        with_deps: Also what the targets need.
        recursive: A directory stands for all stages below it.

    Raises:
        NotFoundError: Nothing has the name of a target.
    """
    options = SelectOptions(
        cwd=working_directory(project, session),
        all_pipelines=not targets,
        single_item=bool(targets) and not with_deps,
        recursive=recursive,
    )
    return select_stages(pipelines, targets, options)
