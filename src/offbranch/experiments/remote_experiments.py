"""The experiments that a Git remote has, with the refs of their labels; one listing for all.

What a remote says is not trusted: a ref that Git would not take, or whose name could not be shown, is left out.
"""

from collections.abc import Iterable, Mapping

from offbranch.base.events import Warned
from offbranch.base.records import record
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.refs import EXPERIMENTS, LABELS, decode, label_ref
from offbranch.git.git_remotes import GitRemote
from offbranch.git.ids import CommitId
from offbranch.git.network import Talk, list_remote
from offbranch.git.refs import is_valid_ref
from offbranch.git.repository import GitRepo


@record
class RemoteExperiments:
    """What a Git remote has.

    Attributes:
        experiments: In the order of their refs.
        labels: Ref of labels -> commit, of these experiments and of others.
    """

    experiments: tuple[Experiment, ...]
    labels: Mapping[str, CommitId]

    @property
    def by_ref(self) -> Mapping[str, Experiment]:
        """The experiments by their refs."""
        return {experiment.ref: experiment for experiment in self.experiments}

    def labels_of(self, experiments: Iterable[Experiment]) -> Mapping[str, CommitId]:
        """Returns the labels of some experiments, by the ref of the experiment."""
        wanted = {e.ref: label_ref(e.baseline, e.name) for e in experiments}
        return {ref: self.labels[label] for ref, label in wanted.items() if label in self.labels}


def read_remote(repo: GitRepo, remote: GitRemote, talk: Talk, *, for_push: bool = False) -> RemoteExperiments:
    """Asks a Git remote once for its experiments and their labels.

    Raises:
        RemoteError: It cannot be reached.
    """
    found = []
    n_strange = 0
    labels: dict[str, CommitId] = {}
    refs = list_remote(repo, remote, (f"{EXPERIMENTS}*", f"{LABELS}*"), talk, for_push=for_push)
    for ref in sorted(refs):
        decoded = decode(ref)
        if decoded is None:
            if ref.startswith(LABELS):
                labels[ref] = refs[ref]
        elif is_valid_ref(ref) and decoded[1].isprintable():
            found.append(Experiment(name=decoded[1], baseline=decoded[0], commit=refs[ref], ref=ref))
        else:
            n_strange += 1
    if n_strange:
        text = f"{n_strange} experiments at {remote.text} are left out: their names are not valid"
        talk.reporter.emit(Warned(text=text, hint=f"git ls-remote '{remote.label}' 'refs/exps/*' shows them"))
    return RemoteExperiments(experiments=tuple(found), labels=labels)
