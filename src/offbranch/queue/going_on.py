"""A task that was begun before and made checkpoints: it goes on from the newest of them, whoever takes it.

That is where its own run has left the ref of its experiment; where the name belongs to another one (`-f`), its attempts tell.
"""

from offbranch.base.events import Reporter, Warned
from offbranch.experiments.checkpoint_chain import header_of, own_chain_of
from offbranch.experiments.go_on import Beginning, read_beginning, wanted_of
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.queue.task import StoredTask
from offbranch.storage.remote_setting import remote_names


def newest_checkpoint(repo: GitRepo, stored: StoredTask) -> CommitId | None:
    """Returns the newest checkpoint that a task has made, in this round or, unless it starts over, in an earlier one."""
    own = own_chain_of(repo, stored.task.spec, stored.task.id)
    if own is not None:
        return own
    made = (each.checkpoint for each in stored.attempts if each.checkpoint is not None)
    return next(made, stored.task.spec.resumed)


def is_own(repo: GitRepo, stored: StoredTask, begun: Beginning) -> bool:
    """Tells whether a task has made a checkpoint itself: then its files are those to go on with, not those of the task."""
    return header_of(repo, begun.commit)[0] == stored.task.id


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
