"""The commits of the chains of experiments, each with the number and the step it has there (docs/formats/checkpoints.md)."""

from collections.abc import Sequence

from offbranch.base.errors import NotFoundError
from offbranch.base.records import record
from offbranch.experiments.chains import chains_of
from offbranch.experiments.checkpoint_names import NameParts, mark_of, number_chain, pick
from offbranch.experiments.experiment import Experiment
from offbranch.git.ids import CommitId
from offbranch.git.objects import Commit, ObjectReader
from offbranch.git.refs import resolve_revision
from offbranch.git.repository import GitRepo


@record
class Checkpoint:
    """One commit of the chain of an experiment.

    Attributes:
        experiment: Whose it is.
        commit: The commit.
        number: Its number, from 1; None for the end of a run, which is none, and for what lies below the chain.
        step: The step of the training; None where that is not known.
        n_commits: Of the whole chain.
    """

    experiment: Experiment
    commit: CommitId
    number: int | None
    step: int | None
    n_commits: int


def checkpoint_at(repo: GitRepo, experiment: Experiment, parts: NameParts) -> Checkpoint:
    """Returns the commit of an experiment that the parts of a name mean.

    Raises:
        NotFoundError: There is none; the message says how many checkpoints there are.
    """
    with ObjectReader(repo) as objects:
        chain = chain_commits(objects, experiment)
    commit: CommitId | None = pick(experiment.name, parts.number, chain).id
    if parts.back:
        commit = resolve_revision(repo, f"{commit}{parts.back}")
    if commit is None:
        raise NotFoundError(
            f"'{parts.name}{parts.back}' does not exist: the experiment '{experiment.name}' has no such commit",
            hint=f"{experiment.name}~1 is the one before its last",
        )
    return _checkpoint(experiment, commit, chain)


def find_in_chains(repo: GitRepo, experiments: Sequence[Experiment], commit: CommitId) -> Checkpoint | None:
    """Returns what a commit is to the first of some experiments that has it in its chain; None where none has."""
    with ObjectReader(repo) as objects:
        chains = chains_of(objects, experiments)
        experiment = next((each for each in experiments if commit in chains[each.ref]), None)
        return None if experiment is None else _checkpoint(experiment, commit, chain_commits(objects, experiment))


def chain_commits(objects: ObjectReader, experiment: Experiment) -> tuple[Commit, ...]:
    """Returns the commits of an experiment, newest first; only its tip where that does not lead to its baseline."""
    return objects.commits(chains_of(objects, (experiment,))[experiment.ref] or (experiment.commit,))


def numbers_of(repo: GitRepo, experiment: Experiment) -> tuple[int, ...]:
    """Returns the numbers of the checkpoints of an experiment, ascending."""
    with ObjectReader(repo) as objects:
        numbers = number_chain(chain_commits(objects, experiment))
    return tuple(sorted(number for number in numbers if number is not None))


def part_of_experiment(text: str, part: Checkpoint) -> NotFoundError:
    """Returns the error for a text that stands for a part of an experiment where only a whole one will do."""
    return NotFoundError(
        f"'{text}' is a checkpoint of the experiment '{part.experiment.name}', not an experiment",
        hint=f"give the whole experiment: {part.experiment.name}",
    )


def _checkpoint(experiment: Experiment, commit: CommitId, chain: Sequence[Commit]) -> Checkpoint:
    place = next((n for n, each in enumerate(chain) if each.id == commit), None)
    mark = None if place is None else mark_of(chain[place])
    return Checkpoint(
        experiment=experiment,
        commit=commit,
        number=None if place is None else number_chain(chain)[place],
        step=None if mark is None else mark.step,
        n_commits=len(chain),
    )
