"""Pushing each new experiment at once, where the project is configured for it (`exp.auto_push`)."""

from offbranch.api.session import Session, need_git
from offbranch.api.share import resolve_remote_of
from offbranch.base.errors import ConflictError, OffbranchError
from offbranch.base.events import Notice, Warned
from offbranch.experiments.choose import Choice
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.share_push import push_experiments
from offbranch.experiments.sharing import ShareRequest, Sharing, raise_unshared
from offbranch.git.network import Talk
from offbranch.project import Project
from offbranch.storage.remote_setting import default_remote


def auto_push(project: Project, experiment: Experiment, session: Session) -> bool:
    """Pushes a new experiment with its outputs and the run-cache; returns whether all of it arrived.

    What goes wrong is a warning only. Git asks for nothing: a run that took hours is not to end in a question.
    """
    remote = git_remote_of(project, session)
    try:
        repo = need_git(project)
        push = Sharing(
            project=project,
            repo=repo,
            remote=resolve_remote_of(repo, remote, session),
            request=ShareRequest(
                remote=remote,
                choice=Choice(names=(experiment.ref,)),
                run_cache=default_remote(project.config) is not None,
            ),
            talk=Talk(reporter=session.reporter),
        )
        report = push_experiments(push)
        raise_unshared(report, "pushed", "")
    except OffbranchError as error:
        text = f"experiment '{experiment.name}' was not pushed: {error.message}"
        force = "-f " if isinstance(error, ConflictError) else ""
        session.reporter.emit(Warned(text=text, hint=f"push it later: ob exp push {force}{remote} {experiment.name}"))
        return False
    session.reporter.emit(Notice(text=f"pushed experiment '{experiment.name}' to {report.remote.text}"))
    if report.n_homeless:
        text = f"the outputs of '{experiment.name}' were not pushed: the project has no data remote"
        session.reporter.emit(Warned(text=text, hint="ob remote add -d NAME URL makes one"))
    return not report.n_homeless


def git_remote_of(project: Project, session: Session) -> str:
    """Returns the Git remote that new experiments are pushed to."""
    return session.environment.exp_git_remote or project.config.get("exp", "git_remote") or "origin"
