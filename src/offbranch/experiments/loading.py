"""Reading the pipelines of an opened project, with its ignore rules and configuration."""

from offbranch.pipeline.interpolate import ParsingOptions
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.stage import Pipelines
from offbranch.pipeline.versions import keep_listing
from offbranch.project import Project
from offbranch.storage.local import LocalCache


def parsing_options(project: Project) -> ParsingOptions:
    """Returns how maps in commands are written, as configured."""
    return ParsingOptions(
        bool=project.config.choice("parsing", "bool", ("store_true", "boolean_optional"), "store_true"),
        list=project.config.choice("parsing", "list", ("nargs", "append"), "nargs"),
    )


def load(project: Project) -> Pipelines:
    """Reads every pipeline of a project from its directory."""
    pipelines = load_pipelines(
        project.reader, ignores=project.ignore.ignores, options=parsing_options(project), root=project.root
    )
    keep_listings(pipelines, project.cache)
    return pipelines


def keep_listings(pipelines: Pipelines, cache: LocalCache) -> None:
    """Puts the directory objects of outputs that are recorded file by file into the cache."""
    for locked in pipelines.locks.values():
        for item in locked.outs:
            if item.extra:
                keep_listing(item, cache)
