"""Whom an experiment names as its author, where Git was never told."""

from offbranch.api.session import Session
from offbranch.base.events import Warned
from offbranch.base.plugins import load
from offbranch.git.repository import GitRepo

_VALUES = {"user.name": "'Your Name'", "user.email": "you@example.com"}


def tell_of_unknown_identity(repo: GitRepo, session: Session) -> None:
    """Says what to set when Git has no name or address for the author of an experiment; it is made all the same."""
    missing = load("offbranch.git.identity:unknown_identity")(repo)
    if not missing:
        return
    commands = " && ".join(f"git config --global {key} {_VALUES[key]}" for key in missing)
    text = f"Git does not know who you are ({' and '.join(missing)} not set): the experiment names your login as its author"
    session.reporter.emit(Warned(text=text, hint=commands))
