"""One Markdown for a pull request: what became of metrics and parameters. Changes nothing but the file it is written to."""

import os

from offbranch.api.session import Session, need_git, opened
from offbranch.base.errors import OffbranchError
from offbranch.base.events import Warned
from offbranch.base.files import atomic_write
from offbranch.base.paths import AbsPath, absolute
from offbranch.base.records import replace
from offbranch.git.refs import resolve_revision
from offbranch.git.repository import GitRepo
from offbranch.views.report import Report
from offbranch.views.report_collect import ReportOptions, collect_report


def make_report(options: ReportOptions, session: Session, *, against: str | None = None) -> Report:
    """Compares the workspace, or experiments, with a baseline.

    Args:
        options: What to compare; its baseline is replaced.
        session: Where.
        against: The baseline; by default the branch that a pull or merge request goes to, where a CI names it and it has
            been fetched, else HEAD.

    Raises:
        NoProjectError: There is no project, or no Git repository around it.
        NotFoundError: A revision does not exist, or a metric whose direction is told.
    """
    with opened(session) as project:
        repo = need_git(project)
        return collect_report(project, repo, replace(options, against=against or _baseline(repo, session)))


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
