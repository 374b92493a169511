"""Chains of checkpoints as rows of `exp show`: an experiment, all its commits, and the attempt that made them are one row.

What an attempt says of its state counts as long as nothing has gone on from where it ended.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.base.records import record, replace
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment
from offbranch.experiments.label_records import Labels
from offbranch.git.ids import CommitId
from offbranch.views.options import ShowOptions
from offbranch.views.rows import Rows
from offbranch.views.table import State

Chains = Mapping[str, Sequence[CommitId]]


@record
class Paired:
    """Attempts beside the experiments whose chains they have made.

    Attributes:
        own: Ref of an experiment -> the attempt (`views.tasks.Tried`) that it is one row with.
        others: Those that have a row of their own.
    """

    own: Mapping[str, Any]
    others: tuple[Any, ...]


def commits_to_load(rows: Rows, chains: Chains, *, in_full: bool) -> list[CommitId]:
    """Returns which commits of chains have to be read, the tips first loaded for it.

    Args:
        rows: Where they are loaded.
        chains: The commits of experiments, newest first.
        in_full: All are shown; otherwise only the tips, and how many there are.
    """
    if in_full:
        return [each for chain in chains.values() for each in chain]
    rows.load([chain[0] for chain in chains.values()])
    # The end of a run has no number, the checkpoint before it has.
    return [each for chain in chains.values() for each in chain[: 1 if rows.checkpoint_of(chain[0]) else 2]]


def experiment_range(
    rows: Rows, experiment: Experiment, chain: Sequence[CommitId], labels: Mapping[str, Labels], options: ShowOptions
) -> State:
    """Returns the state of an experiment whose commits were loaded: its tip, and with `whole_chains` all others."""
    n_checkpoints = _count(rows, chain)
    if n_checkpoints is None:  # what DVC has made is as DVC shows it
        n_checkpoints = len(chain) if options.counts_all and len(chain) > 1 else 0
    shown = chain if options.whole_chains else chain[:1]
    revs = [_state(rows, commit, experiment.name if n == 0 else None) for n, commit in enumerate(shown)]
    if len(revs) > 1 and n_checkpoints and not any("checkpoint" in each for each in revs):
        for n, each in enumerate(revs):
            each["checkpoint"] = {"number": len(revs) - n, "step": None}
    if (own := labels.get(experiment.ref)) is not None:
        revs[0]["labels"] = {"tags": list(own.tags), "note": own.note}
    about = {"n_checkpoints": n_checkpoints} if n_checkpoints else {}
    return {"revs": revs, "executor": None, "name": experiment.name, **about}


def pair_attempts(rows: Rows, experiments: Sequence[Experiment], chains: Chains, tried: Sequence[Any]) -> Paired:
    """Decides which attempts are one row with an experiment of their baseline; of several at one chain the newest.

    An older one has no row at all: what it has made is in the chain.

    Args:
        rows: The tips of the chains are loaded in it.
        experiments: Of one baseline.
        chains: The commits of each, newest first.
        tried: Attempts from there (`views.tasks.Tried`).
    """
    own: dict[str, Any] = {}
    others: list[Any] = []
    tried = [_caught_up(rows, each, experiments, chains) for each in tried]
    for each in sorted(tried, key=lambda one: -one.attempt.started_utc):
        made = _made_by(each.attempt, experiments, chains)
        if made is None:
            others.append(each)
        elif made.ref not in own and (each.is_running or each.attempt.checkpoint == made.commit):
            own[made.ref] = each
    return Paired(own=own, others=tuple(each for each in tried if any(each is one for one in others)))


def with_attempt(range_: State, attempt_range: State) -> State:
    """Returns the state of an experiment as that of the attempt that makes or made it: its state, and its newest metrics."""
    tip, newest = range_["revs"][0], attempt_range["revs"][0]
    if tip["data"] is None or newest["data"] is None:
        data = tip["data"] or newest["data"]
    else:
        metrics = {**tip["data"]["metrics"], **newest["data"]["metrics"]}
        data = {**tip["data"], "timestamp": newest["data"]["timestamp"], "metrics": metrics}
    shown = {**tip, "data": data, "error": newest["error"]}
    return {**range_, "revs": [shown, *range_["revs"][1:]], "executor": attempt_range["executor"]}


def _caught_up(rows: Rows, one: Any, experiments: Sequence[Experiment], chains: Chains) -> Any:
    """Returns an attempt that is not recorded as ended with the checkpoint that its chain has already and it has not.

    Its ref is the second to move; as `caught_up` does where a killed one is recorded.
    """
    attempt = one.attempt
    made = next((each for each in experiments if each.name == attempt.name), None)
    if attempt.state is not AttemptState.RUNNING or made is None or made.commit == attempt.checkpoint:
        return one
    chain, mark = chains[made.ref], rows.checkpoint_of(made.commit)
    before = attempt.checkpoint or attempt.resumed
    is_next = (chain[1] if len(chain) > 1 else None) == before and rows.time_of(made.commit) >= int(attempt.started_utc)
    if mark is None or not is_next:
        return one
    return replace(one, attempt=replace(attempt, checkpoint=made.commit, checkpoints=int(mark["number"])))


def _made_by(attempt: Attempt, experiments: Sequence[Experiment], chains: Chains) -> Experiment | None:
    if attempt.checkpoint is None:
        return None
    having = [each for each in experiments if attempt.checkpoint in chains[each.ref]]
    named = next((each for each in having if each.name == attempt.name), None)
    if named is not None or attempt.checkpoint == attempt.resumed:  # so far it is another one that it went on from
        return named
    # It may have been renamed since.
    return next((each for each in having if each.commit == attempt.checkpoint), None)


def _state(rows: Rows, commit: CommitId, name: str | None) -> State:
    state, checkpoint = rows.state(commit, name), rows.checkpoint_of(commit)
    return state if checkpoint is None else {**state, "checkpoint": dict(checkpoint)}


def _count(rows: Rows, chain: Sequence[CommitId]) -> int | None:
    """Returns how many checkpoints a chain has, by the number of the last; None where its commits say nothing of it."""
    for commit in chain[:2]:
        if (checkpoint := rows.checkpoint_of(commit)) is not None:
            return int(checkpoint["number"])
    return None
