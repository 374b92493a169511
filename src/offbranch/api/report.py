"""One Markdown for a pull request: what became of metrics, parameters and curves.

Changes nothing but the files it is written to.
"""

import base64
import mimetypes
import os
import tempfile
from collections.abc import Callable
from enum import Enum
from urllib.parse import quote

from offbranch.api.naming import queued_tasks
from offbranch.api.plots import PlotRequest, plots_diff, write_images, write_pictures
from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import OffbranchError, UsageError
from offbranch.base.events import Warned
from offbranch.base.files import atomic_write
from offbranch.base.paths import AbsPath, absolute
from offbranch.base.records import replace
from offbranch.git.refs import resolve_revision
from offbranch.git.repository import GitRepo
from offbranch.views.plot import Plots
from offbranch.views.report import Report, ReportImage
from offbranch.views.report_charts import charts_of
from offbranch.views.report_collect import ReportOptions, collect_report


class PlotMode(Enum):
    """How plots stand in a report.

    Attributes:
        MERMAID: Curves as text, which GitHub and GitLab draw; what is no curve is named.
        FILES: Images in a directory beside the page.
        EMBED: Images in the page itself; GitHub and GitLab do not show such ones.
        NONE: Not at all.
    """

    MERMAID = "mermaid"
    FILES = "files"
    EMBED = "embed"
    NONE = "none"


def make_report(
    options: ReportOptions,
    session: Session,
    *,
    against: str | None = None,
    plots: PlotMode = PlotMode.MERMAID,
    out: str | None = None,
) -> Report:
    """Compares the workspace, or experiments, with a baseline.

    Args:
        options: What to compare; its baseline is replaced.
        session: Where.
        against: The baseline; by default the branch that a pull or merge request goes to, where a CI names it and it has
            been fetched, else HEAD.
        plots: How plots stand in it.
        out: The file that the page will be written to; images go into `<its name without suffix>_files` beside it.

    Raises:
        UsageError: Images are to be files, and there is no file that they could lie beside.
        NoProjectError: There is no project, or no Git repository around it.
        NotFoundError: A revision does not exist, or a metric whose direction is told.
    """
    with opened(session) as project:
        repo = need_git(project)
        options = replace(options, against=against or _baseline(repo, session))
        tasks = queued_tasks(project, (options.against, *options.revisions))
        report = collect_report(project, repo, options, tasks)
    if plots is PlotMode.NONE:
        return report
    if plots is PlotMode.FILES and out is None:
        raise UsageError("images need a page to lie beside", hint="name the file of the page: --out report.md")
    names = dict.fromkeys((options.against, *(revision.name for revision in report.revisions)))
    return _with_plots(report, plots_diff(PlotRequest(), tuple(names), session), plots, out, session)


def write_report(text: str, out: str, session: Session) -> AbsPath:
    """Writes a report in one step, and returns where.

    Raises:
        OffbranchError: It cannot be written there.
    """
    path = absolute(out, base=session.start)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        atomic_write(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise OffbranchError(
            f"cannot write '{out}': {(error.strerror or str(error)).lower()}", hint="give another file: --out FILE"
        ) from error
    return path


def _with_plots(report: Report, plots: Plots, mode: PlotMode, out: str | None, session: Session) -> Report:
    mistakes = [
        f"the plot '{each.name or each.source}' of {each.rev}: {each.message}"
        for each in plots.errors
        if each.is_mistake
    ]
    notes = (*report.notes, *mistakes)
    if mode is PlotMode.MERMAID:
        charts = charts_of(plots.specs)
        titles = {chart.title for chart in charts}
        rest = [spec.title for spec in plots.specs if spec.title not in titles]
        rest += dict.fromkeys(picture.id for picture in plots.pictures)
        return replace(report, notes=notes, charts=charts, not_drawn=tuple(rest))
    if mode is PlotMode.FILES:
        page = absolute(out or "", base=session.start)
        above = os.path.dirname(page)
        out_dir = AbsPath(f"{os.path.splitext(page)[0]}_files")
        shown, errors = _images(
            plots, out_dir, session, href_of=lambda path: quote(os.path.relpath(path, above).replace(os.sep, "/"))
        )
    else:
        with tempfile.TemporaryDirectory() as directory:
            shown, errors = _images(plots, AbsPath(directory), session, href_of=_data_url)
    return replace(report, notes=(*notes, *(error.message for error in errors)), images=shown)


def _images(
    plots: Plots, out: AbsPath, session: Session, *, href_of: Callable[[str], str]
) -> tuple[tuple[ReportImage, ...], tuple[OffbranchError, ...]]:
    """Writes what plots draw, then the images among them; returns both as a page names them, and what cannot be drawn."""
    drawn, errors = write_images(replace(plots, pictures=()), out, "png", session)
    found = [ReportImage(title=os.path.splitext(os.path.basename(path))[0], href=href_of(path)) for path in drawn]
    pictures = write_pictures(plots, out)
    found += [ReportImage(title=id, rev=rev, href=href_of(path)) for (id, rev), path in pictures.items()]
    return tuple(found), errors


def _data_url(path: str) -> str:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    with open(path, "rb") as file:
        return f"data:{kind};base64,{base64.b64encode(file.read()).decode('ascii')}"


def _baseline(repo: GitRepo, session: Session) -> str:
    branch = session.environment.target_branch
    if branch is None:
        return "HEAD"
    if resolve_revision(repo, f"refs/remotes/origin/{branch}") is not None:
        return f"origin/{branch}"
    fetch = f"git fetch --depth 1 origin '+refs/heads/{branch}:refs/remotes/origin/{branch}'"
    text = f"the branch '{branch}', which this request goes to, has not been fetched: the report compares with HEAD"
    session.reporter.emit(Warned(text=text, hint=fetch))
    return "HEAD"
