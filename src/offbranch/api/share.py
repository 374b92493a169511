"""Sharing experiments with Git remotes: push and pull. Listing, removing and renaming there is in `share_there.py`.

A push reads the project and takes no lock of it, so that it can be done while something runs; a pull holds the project, because
what it fetches must not be collected as garbage meanwhile.
"""

from offbranch.api.session import Session, held, need_git, opened
from offbranch.base.errors import NotFoundError, UsageError
from offbranch.base.plugins import load
from offbranch.experiments.refs import list_experiments
from offbranch.experiments.sharing import ShareReport, ShareRequest, Sharing
from offbranch.git.git_remotes import GitRemote, known_remotes, remote_names, resolve_git_remote
from offbranch.git.network import Talk
from offbranch.git.repository import GitRepo
from offbranch.queue.remote.shared_signs import may_share


def push(request: ShareRequest, session: Session, *, may_ask: bool = False) -> ShareReport:
    """Pushes experiments to a Git remote, their outputs to the data remotes first.

    Args:
        request: Which, and how.
        session: Where.
        may_ask: Git may ask on the terminal, for a password as an example; otherwise it fails where it would have to.

    Returns:
        What became of each. Those that failed or diverged are among them; the others were pushed.

    Raises:
        NotFoundError: The Git remote or an experiment is not known; nothing has been done.
        RemoteError: The Git remote cannot be reached; nothing has been done.
    """
    with opened(session) as project:
        repo = need_git(project)
        remote = resolve_remote_of(repo, request.remote, session)
        talk = Talk(reporter=session.reporter, may_ask=may_ask)
        sharing = Sharing(project=project, repo=repo, remote=remote, request=request, talk=talk)
        report: ShareReport = load("offbranch.experiments.share_push:push_experiments")(sharing)
        return report


def pull(request: ShareRequest, session: Session, *, may_ask: bool = False) -> ShareReport:
    """Pulls experiments from a Git remote, and their outputs into the cache; the workspace stays as it is.

    Arguments, result and errors are those of `push`.
    """
    with held(session) as (project, _):
        repo = need_git(project)
        remote = resolve_remote_of(repo, request.remote, session)
        talk = Talk(reporter=session.reporter, may_ask=may_ask)
        sharing = Sharing(project=project, repo=repo, remote=remote, request=request, talk=talk)
        report: ShareReport = load("offbranch.experiments.share_pull:pull_experiments")(sharing)
        may_be_shared = not request.dry and may_share(repo, project.environment)
    if may_be_shared:  # then what has come of queued tasks comes along
        load("offbranch.api.queue_remote_changes:bring_news")(session, request.remote)
    return report


def resolve_remote_of(repo: GitRepo, text: str, session: Session) -> GitRemote:
    """Returns a Git remote; one that is the name of an experiment gets the hint that the remote is missing."""
    try:
        return resolve_git_remote(repo, text, start=session.start)
    except NotFoundError as error:
        if all(text != one.name for one in list_experiments(repo)):
            raise
        first = next(iter(remote_names(repo)), "REMOTE")
        raise UsageError(
            f"'{text}' is an experiment, and the first argument is the Git remote",
            hint=f"put it first: {first} {text}; {known_remotes(repo)}",
        ) from error
