"""A task that was begun before and made checkpoints: it goes on from the newest of them, whoever takes it.

Its attempts of this round tell; of another machine of a shared queue, the ref that was brought with the task.
"""

from offbranch.base.events import Reporter, Warned
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.chains import chains_of
from offbranch.experiments.checkpoint_chain import header_of
from offbranch.experiments.checkpoint_names import mark_of
from offbranch.experiments.experiment import Attempt, Experiment, ExperimentSpec
from offbranch.experiments.go_on import Beginning, read_beginning, wanted_of
from offbranch.experiments.refs import checkpoint_ref
from offbranch.experiments.resume import superseded
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import list_refs, may_have_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.task import StoredTask
from offbranch.storage.remote_setting import remote_names


def newest_checkpoint(repo: GitRepo, stored: StoredTask) -> CommitId | None:
    """Returns what a task goes on from: the newest checkpoint of it that is known here, or else where it was to begin.

    One of an earlier round counts only where the record of this one says so.
    """
    brought = checkpoint_ref(stored.task.id)
    listed = list_refs(repo, brought) if may_have_refs(repo, brought) else ()
    known = [CommitId(commit) for ref, commit in listed if ref == brought]
    known += [each.checkpoint for each in stored.attempts if each.checkpoint is not None][:1]
    if not known:
        return stored.task.spec.resumed
    with ObjectReader(repo) as objects:
        marks = [mark_of(each) for each in objects.commits(known)]
    numbers = [0 if mark is None else mark.number for mark in marks]
    return known[numbers.index(max(numbers))]


def is_own(repo: GitRepo, stored: StoredTask, begun: Beginning) -> bool:
    """Tells whether a task has made a checkpoint itself: then its files are those to go on with, not those of the task."""
    return header_of(repo, begun.commit)[0] == stored.task.id


def before_it(project: Project, repo: GitRepo, spec: ExperimentSpec) -> tuple[Attempt, ...]:
    """Returns attempts outside of the queue at the experiment that a task goes on with: they go when it has succeeded."""
    assert spec.resumed is not None
    begun = Experiment(name=spec.name, baseline=spec.baseline, commit=spec.resumed, ref="")
    with ObjectReader(repo) as objects:
        chain = chains_of(objects, (begun,))[begun.ref]
    return superseded(list_attempts(repo, project.root), spec.name, spec.baseline, chain)


def beginning_of(project: Project, repo: GitRepo, stored: StoredTask, reporter: Reporter) -> Beginning | None:
    """Returns what a task goes on from; None where it begins at the beginning.

    Where the data of the checkpoint is lost, which is said, it does that too: a queue is not to stand still.
    """
    commit = newest_checkpoint(repo, stored)
    if commit is None:
        return None
    with ObjectReader(repo) as objects:
        begun = read_beginning(project, objects, commit, stored.task.spec.baseline)
    is_fetched = stored.is_shared and bool(remote_names(project.config))
    missing = [path for path, id in wanted_of(begun).items() if not project.cache.has_all(id)]
    if missing and not is_fetched and not stored.task.options.execute.pull:
        text = f"'{stored.name}' begins anew: of checkpoint {begun.number} there is no '{missing[0]}' in the cache"
        reporter.emit(Warned(text=text))
        return None
    return begun
