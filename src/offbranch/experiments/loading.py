"""Reading the pipelines of an opened project, with its ignore rules and configuration."""

from offbranch.pipeline.interpolate import ParsingOptions
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project


def parsing_options(project: Project) -> ParsingOptions:
    """Returns how maps in commands are written, as configured."""
    return ParsingOptions(
        bool=project.config.choice("parsing", "bool", ("store_true", "boolean_optional"), "store_true"),
        list=project.config.choice("parsing", "list", ("nargs", "append"), "nargs"),
    )


def load(project: Project) -> Pipelines:
    """Reads every pipeline of a project from its directory."""
    return load_pipelines(
        project.reader, ignores=project.ignore.ignores, options=parsing_options(project), root=project.root
    )
