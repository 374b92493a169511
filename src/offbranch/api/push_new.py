"""Pushes what has just been made, where that is configured."""

from offbranch.api.session import Session
from offbranch.base.plugins import load
from offbranch.experiments.experiment import Experiment
from offbranch.project import Project


def push_new(project: Project, experiment: Experiment, session: Session) -> None:
    """Pushes a new experiment where that is configured; the code for it is loaded only then."""
    said = session.environment.exp_auto_push
    if project.config.get_bool("exp", "auto_push") if said is None else said:
        load("offbranch.api.auto_push:auto_push")(project, experiment, session)
