"""Data at urls that stages read or write. What reaches servers is loaded when a stage has such a url, not before."""

from offbranch.base.events import Reporter
from offbranch.base.plugins import load
from offbranch.pipeline.workbench import UrlAccess
from offbranch.project import Project
from offbranch.storage.objects import Content, Tag


def url_access(project: Project, reporter: Reporter) -> UrlAccess:
    """Returns what reaches the urls of a project, with the options of its data remotes."""

    def look(url: str) -> Content | Tag | None:
        found: Content | Tag | None = load("offbranch.experiments.urls_reached:look")(project, url, reporter)
        return found

    def remove(url: str) -> None:
        load("offbranch.experiments.urls_reached:remove")(project, url)

    return UrlAccess(look=look, remove=remove)
