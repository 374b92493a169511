"""Tags and notes of experiments: written, removed, read. They are kept in Git and go to other clones with the experiments."""

import time
from collections.abc import Callable, Sequence

from offbranch.api.session import Session, held, need_git, opened
from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.records import record
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.label_records import NO_LABELS, Labels, with_note, with_tags, without_tags
from offbranch.experiments.labels import change_labels, read_labels
from offbranch.experiments.refs import list_experiments, resolve_experiment
from offbranch.git.repository import GitRepo


@record
class Labelled:
    """An experiment and what is written on it."""

    experiment: Experiment
    labels: Labels


def labels(session: Session, name: str | None = None) -> tuple[Labelled, ...]:
    """Returns all experiments with tags or a note, in the order of their refs; with a name that one alone.

    Raises:
        NotFoundError: There is no such experiment.
    """
    with opened(session) as project:
        repo = need_git(project)
        experiments = list_experiments(repo) if name is None else (resolve_experiment(repo, name),)
        found = read_labels(repo, experiments)
        return tuple(
            Labelled(experiment=each, labels=found.get(each.ref, NO_LABELS))
            for each in experiments
            if name is not None or each.ref in found
        )


def tag(
    name: str, tags: Sequence[str], session: Session, *, remove: bool = False, clock: Callable[[], float] = time.time
) -> Labelled:
    """Gives an experiment tags, or takes tags away; returns what it has then.

    Args:
        name: Name or full ref of the experiment.
        tags: The tags.
        session: Where.
        remove: Takes them away.
        clock: Seconds since the epoch.

    Raises:
        NotFoundError: There is no such experiment, or it has no such tag to take away.
        UsageError: A tag is not valid.
    """

    def change(old: Labels) -> Labels:
        if not remove:
            return with_tags(old, tags, now_utc=clock())
        for each in tags:
            if each not in old.tags:
                hint = did_you_mean(each, old.tags) or f"ob exp tag {name} lists its tags"
                raise NotFoundError(f"the experiment '{name}' has no tag '{each}'", hint=hint)
        return without_tags(old, tags, now_utc=clock())

    return _change(name, session, change)


def note(name: str, text: str, session: Session, *, clock: Callable[[], float] = time.time) -> Labelled:
    """Writes the note of an experiment in place of the one it has; an empty text removes it.

    Raises:
        NotFoundError: There is no such experiment.
        UsageError: The text is too long.
    """
    if len(text.encode(errors="surrogateescape")) > MAX_NOTE_BYTES:
        raise UsageError(
            f"the note is longer than {MAX_NOTE_BYTES} bytes", hint="keep long texts in a file of the project"
        )
    return _change(name, session, lambda old: with_note(old, text, now_utc=clock()))


MAX_NOTE_BYTES = 100_000


def _change(name: str, session: Session, change: Callable[[Labels], Labels]) -> Labelled:
    with held(session) as (project, _):
        repo = need_git(project)
        experiment = resolve_experiment(repo, name)
        old = _labels_of(repo, experiment)
        new = change(old)
        if new is not old:
            change_labels(repo, experiment, new)
        return Labelled(experiment=experiment, labels=new)


def _labels_of(repo: GitRepo, experiment: Experiment) -> Labels:
    return read_labels(repo, (experiment,)).get(experiment.ref, NO_LABELS)
