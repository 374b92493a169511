"""The ref namespace of experiments: the only place that knows how a ref is spelled.

`refs/exps/<2>/<38>/<name>` is one experiment (docs/formats/refs.md); what DVC keeps beside them below `refs/exps` is
skipped. Our own private refs live below `refs/ob`, because DVC takes everything else below `refs/exps` for an experiment.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from offbranch.base.errors import NotFoundError, did_you_mean
from offbranch.experiments.checkpoint_commits import (
    Checkpoint,
    checkpoint_at,
    find_in_chains,
    numbers_of,
    part_of_experiment,
)
from offbranch.experiments.checkpoint_names import NameParts, split_name
from offbranch.experiments.experiment import Experiment
from offbranch.git.objects import CommitId
from offbranch.git.refs import list_refs, resolve_revision
from offbranch.git.repository import GitRepo, head_commit, is_shallow

EXPERIMENTS: Final = "refs/exps/"
EXEC_HEAD: Final = "refs/exps/exec/EXEC_HEAD"
EXEC_APPLY: Final = "refs/exps/exec/EXEC_APPLY"
APPLY_ORIG_HEAD: Final = "refs/exps/apply/ORIG_HEAD"
APPLY_STASH: Final = "refs/exps/apply/stash"
ATTEMPTS: Final = "refs/ob/attempts/"
LABELS: Final = "refs/ob/labels/"
TASKS: Final = "refs/ob/tasks/"
LEASES: Final = "refs/ob/leases/"
# Tasks of DVC that are ours already, while what DVC has of them is still being removed.
IMPORTS: Final = "refs/ob/imports/"
# Of a queue that many machines share; the first four are here only, the others at the Git remote only
# (docs/formats/remote-queue.md).
SENT: Final = "refs/ob/sent/"
SENDING: Final = "refs/ob/sending/"
AWAY: Final = "refs/ob/away/"
HELD: Final = "refs/ob/held/"
REQUESTS: Final = "refs/ob/requests/"
LOGS: Final = "refs/ob/logs/"
# At the Git remote, and in clones that work on such a task.
CHECKPOINTS: Final = "refs/ob/checkpoints/"
# As Git has it.
_SHORTEST_ID = 4
_HEX = frozenset("0123456789abcdef")


def encode(baseline: CommitId, name: str) -> str:
    """Returns the ref of an experiment."""
    return f"{EXPERIMENTS}{baseline[:2]}/{baseline[2:]}/{name}"


def decode(ref: str) -> tuple[CommitId, str] | None:
    """Returns (baseline, name) of an experiment's ref, None for any other ref."""
    if not ref.startswith(EXPERIMENTS):
        return None
    parts = ref.split("/")
    if len(parts) != 5 or len(parts[2]) != 2 or len(parts[3]) not in (38, 62) or not parts[4]:
        return None
    baseline = parts[2] + parts[3]
    return (CommitId(baseline), parts[4]) if _HEX.issuperset(baseline) else None


def attempt_ref(attempt_id: str) -> str:
    """Returns the private ref that keeps the files of an attempt."""
    return f"{ATTEMPTS}{attempt_id}"


def label_ref(baseline: CommitId, name: str) -> str:
    """Returns the private ref of the tags and the note of an experiment."""
    return f"{LABELS}{baseline[:2]}/{baseline[2:]}/{name}"


def task_ref(task_id: str) -> str:
    """Returns the private ref that keeps a queued task: its files and its spec."""
    return f"{TASKS}{task_id}"


def lease_ref(task_id: str) -> str:
    """Returns the private ref that says which attempt has a task: there can be one at a time."""
    return f"{LEASES}{task_id}"


def sent_ref(task_id: str) -> str:
    """Returns the private ref that says that a task is at the Git remote, and as which commit."""
    return f"{SENT}{task_id}"


def sending_ref(task_id: str) -> str:
    """Returns the private ref of a task that is on its way to the Git remote, or may have got there without our knowing."""
    return f"{SENDING}{task_id}"


def away_ref(task_id: str) -> str:
    """Returns the private ref of the lease that a machine had on a task when the Git remote was asked last."""
    return f"{AWAY}{task_id}"


def held_ref(task_id: str) -> str:
    """Returns the private ref of the lease that a worker of this clone has or had, until it has published or given up."""
    return f"{HELD}{task_id}"


def request_ref(task_id: str) -> str:
    """Returns the ref, at a Git remote, of a wish about a task that runs."""
    return f"{REQUESTS}{task_id}"


def checkpoint_ref(task_id: str) -> str:
    """Returns the ref of the newest checkpoint of a task of a shared queue, for whoever takes it next."""
    return f"{CHECKPOINTS}{task_id}"


def log_ref(attempt_id: str) -> str:
    """Returns the ref, at a Git remote, of what the commands of an attempt wrote."""
    return f"{LOGS}{attempt_id}"


def list_experiments(repo: GitRepo, baseline: CommitId | None = None) -> tuple[Experiment, ...]:
    """Returns the experiments of one baseline, or all, in the order of their refs."""
    prefix = EXPERIMENTS if baseline is None else f"{EXPERIMENTS}{baseline[:2]}/{baseline[2:]}/"
    found = []
    for ref, commit in list_refs(repo, prefix):
        decoded = decode(ref)
        if decoded is not None:
            found.append(Experiment(name=decoded[1], baseline=decoded[0], commit=CommitId(commit), ref=ref))
    return tuple(found)


def list_with_labels(repo: GitRepo) -> tuple[tuple[Experiment, ...], Mapping[str, CommitId]]:
    """Returns all experiments in the order of their refs, and ref -> commit of all labels, with one question to Git."""
    found, labels = [], {}
    for ref, commit in list_refs(repo, EXPERIMENTS, LABELS):
        decoded = decode(ref)
        if decoded is not None:
            found.append(Experiment(name=decoded[1], baseline=decoded[0], commit=CommitId(commit), ref=ref))
        elif ref.startswith(LABELS):
            labels[ref] = CommitId(commit)
    return tuple(found), labels


def by_baseline(experiments: Iterable[Experiment]) -> Mapping[CommitId, tuple[Experiment, ...]]:
    """Returns experiments grouped by their baseline."""
    groups: dict[CommitId, list[Experiment]] = {}
    for experiment in experiments:
        groups.setdefault(experiment.baseline, []).append(experiment)
    return {baseline: tuple(group) for baseline, group in groups.items()}


def find_experiment(repo: GitRepo, name: str) -> Experiment | None:
    """Returns the experiment with a name or full ref: the only one, or the one whose baseline is HEAD.

    Raises:
        NotFoundError: Several baselines have one of this name and HEAD is none of them.
    """
    everything = list_experiments(repo)
    found = [experiment for experiment in everything if name in (experiment.name, experiment.ref)]
    if len(found) <= 1:
        return found[0] if found else None
    head = head_commit(repo)
    here = [experiment for experiment in found if experiment.baseline == head]
    if len(here) == 1:
        return here[0]
    where = ", ".join(experiment.baseline[:7] for experiment in found)
    raise NotFoundError(
        f"the name '{name}' is ambiguous: experiments of the baselines {where} have it",
        hint=f"give the full ref, e.g. {found[0].ref}",
    )


def resolve_experiment(repo: GitRepo, name: str) -> Experiment:
    """Returns the experiment with a name or full ref, or else with a commit id, which may be abbreviated.

    Raises:
        NotFoundError: There is none, or several, or it is one checkpoint of one; near names are offered.
    """
    found = find_experiment(repo, name) or _find_by_commit(repo, name)
    if found is None:
        if (part := find_checkpoint(repo, name)) is not None:
            raise part_of_experiment(name, part)
        names = [experiment.name for experiment in list_experiments(repo)]
        raise NotFoundError(
            f"there is no experiment '{name}'", hint=did_you_mean(name, names) or "ob exp list -A shows all experiments"
        )
    return found


def resolve_checkpoint(repo: GitRepo, text: str) -> Checkpoint:
    """Returns the commit of an experiment that `NAME`, `NAME@3`, `NAME@last`, `NAME~1` or a commit id stands for.

    Raises:
        NotFoundError: There is no such experiment, or it has no such checkpoint; the message says how many it has.
    """
    found = find_checkpoint(repo, text)
    if found is None:
        raise unknown_revision(repo, text)
    return found


def find_checkpoint(repo: GitRepo, text: str) -> Checkpoint | None:
    """Returns the same; None where the text stands for no commit of any experiment.

    Raises:
        NotFoundError: The experiment has no such checkpoint, or its name is ambiguous.
    """
    experiment = find_experiment(repo, text)
    if experiment is not None:
        return checkpoint_at(repo, experiment, NameParts(name=text))
    found = _find_named(repo, text)
    if found is not None or len(text) < _SHORTEST_ID or not _HEX.issuperset(text):
        return found
    commit = resolve_revision(repo, text)
    return None if commit is None else find_in_chains(repo, list_experiments(repo), commit)


def checkpoint_numbers(repo: GitRepo, name: str) -> tuple[int, ...]:
    """Returns the numbers of the checkpoints of an experiment, ascending; none where there is no such experiment."""
    experiment = find_experiment(repo, name)
    return () if experiment is None else numbers_of(repo, experiment)


def find_named_commit(repo: GitRepo, text: str) -> CommitId | None:
    """Returns the commit that the name of an experiment, or of one checkpoint of it, stands for.

    An experiment whose own name is such a text comes first.

    Raises:
        NotFoundError: The experiment has no such checkpoint, or its name is ambiguous.
    """
    experiment = find_experiment(repo, text)
    if experiment is not None:
        return experiment.commit
    found = _find_named(repo, text)
    return None if found is None else found.commit


def _find_named(repo: GitRepo, text: str) -> Checkpoint | None:
    parts = split_name(text)
    experiment = None if parts is None else find_experiment(repo, parts.name)
    return None if parts is None or experiment is None else checkpoint_at(repo, experiment, parts)


def is_abbreviation(text: str, commit: str) -> bool:
    """Tells whether a text is a commit id or the beginning of it."""
    return len(text) >= _SHORTEST_ID and commit.startswith(text)


def _find_by_commit(repo: GitRepo, text: str) -> Experiment | None:
    found = [experiment for experiment in list_experiments(repo) if is_abbreviation(text, experiment.commit)]
    if len(found) > 1:
        raise NotFoundError(
            f"'{text}' is ambiguous: the experiments {' and '.join(each.name for each in found[:5])} have such a commit",
            hint=f"give the full ref, e.g. {found[0].ref}",
        )
    return found[0] if found else None


def resolve_any(repo: GitRepo, text: str) -> CommitId:
    """Returns the commit that a Git revision, or else the name of an experiment or of its checkpoint, stands for.

    Raises:
        NotFoundError: It is neither.
    """
    commit = resolve_revision(repo, text)
    if commit is not None:
        return commit
    found = find_named_commit(repo, text)
    if found is None:
        raise unknown_revision(repo, text)
    return found


def unknown_revision(repo: GitRepo, text: str, more_names: Iterable[str] = ()) -> NotFoundError:
    """Returns the error for a text that stands for nothing; near names of experiments, and of `more_names`, are offered.

    Raises:
        GitError: There is no commit yet, so that no text stands for one.
    """
    head_commit(repo)
    known = [*(experiment.name for experiment in list_experiments(repo)), *more_names]
    near, (name, _, which) = did_you_mean(text, known), text.rpartition("@")
    if name in known and (which.isdigit() or which == "last"):
        return NotFoundError(f"'{text}' does not exist: '{name}' has no checkpoints", hint=f"give its name: {name}")
    if name in known:
        near = f"a checkpoint is named by its number: {name}@1, or {name}@last for the newest"
    if near is None and is_shallow(repo):
        near = "this clone has only the newest commits: git fetch --unshallow brings the rest"
    return NotFoundError(
        f"'{text}' is neither a Git revision nor an experiment", hint=near or "ob exp list -A shows all experiments"
    )
