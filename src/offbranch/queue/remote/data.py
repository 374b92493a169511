"""The outputs of what a worker has made, to the data remotes, before anything of it is published."""

from collections.abc import Callable

from offbranch.base.errors import OffbranchError, RemoteError
from offbranch.base.events import Warned
from offbranch.experiments.chains import chains_of
from offbranch.experiments.choose import Choice
from offbranch.experiments.share_data import push_outputs, with_run_cache
from offbranch.experiments.sharing import ShareRequest, Sharing
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.project import Project
from offbranch.queue.remote.end import Ending
from offbranch.queue.remote.place import QueueRemote
from offbranch.storage.remote_setting import default_remote

# What a remote that refuses for another reason than the network is given before the task counts as failed.
_MAX_TRIES = 5
_LONGEST_WAIT_S = 30.0
_CHECKPOINTS = "checkpoints"


def send_results(
    project: Project, place: QueueRemote, ending: Ending, sleep: Callable[[float], None]
) -> OffbranchError | None:
    """Sends the outputs of an experiment and of attempts; returns why those of the experiment are not complete there.

    Waits as long as a data remote cannot be reached. The outputs of attempts are sent as far as they are there.
    """
    sharing = Sharing(
        project=project,
        repo=place.repo,
        remote=place.remote,
        request=ShareRequest(remote=place.remote.name, choice=Choice()),
        talk=place.talk,
    )
    made = ending.experiment
    chains: dict[str, tuple[CommitId, ...]] = {
        each.id: (each.commit,) for each in ending.attempts if each.commit is not None
    }
    if made is not None:
        chains[made.ref] = (made.commit,)
        with ObjectReader(place.repo) as objects:
            # Of checkpoints as much as is here: others may have been made on a machine that is lost.
            chains[_CHECKPOINTS] = chains_of(objects, (made,))[made.ref]
    wait_s, n_tries = 0.5, 0
    while True:
        with ObjectReader(place.repo) as objects:
            done = push_outputs(sharing, objects, chains)
        error = None if made is None else done.errors.get(made.ref)
        if error is None:
            break
        n_tries += 1
        if not isinstance(error, RemoteError) or (not error.is_transient and n_tries >= _MAX_TRIES):
            return error
        place.talk.reporter.emit(Warned(text=error.message, hint="it is tried again"))
        sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
    if made is not None and default_remote(project.config) is not None:
        runs = with_run_cache(sharing, done.moved, is_push=True)
        if runs.error is not None:
            place.talk.reporter.emit(Warned(text=f"the run-cache was not pushed: {runs.error.message}"))
    if done.n_homeless:
        text = f"the outputs of '{made.name if made else 'a failed task'}' stay in this clone: the project has no data remote"
        place.talk.reporter.emit(Warned(text=text, hint="ob remote add -d NAME URL makes one"))
    return None
