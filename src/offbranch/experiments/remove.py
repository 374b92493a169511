"""Removing experiments and failed attempts: decide (`plan_removal`), then one transaction."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.records import record
from offbranch.experiments.attempts import forget_attempts, list_attempts
from offbranch.experiments.choose import Choice, baselines_of, experiments_named, is_pattern, refuse_parts
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment
from offbranch.experiments.labels import removed_labels
from offbranch.experiments.refs import EXEC_APPLY, is_abbreviation, list_experiments
from offbranch.git.refs import ANY, RefUpdate, list_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project


@record
class Removal:
    """What to remove.

    Attributes:
        names: Experiments by name, pattern, commit id or full ref, or failed attempts.
        everything: All experiments of the repository.
        revs: Those of these baselines.
        n_commits: With `revs` (default HEAD): of so many commits back from each; negative for all.
        keep: Removes all others instead.
        dry: Only tells what would be removed.
        queue: What waits in the queue; whoever knows the queue sees to it.
        names_elsewhere: Those of `names` that stand for something else too, so that they need not be known here.
    """

    names: tuple[str, ...] = ()
    everything: bool = False
    revs: tuple[str, ...] = ()
    n_commits: int | None = None
    keep: bool = False
    dry: bool = False
    queue: bool = False
    names_elsewhere: frozenset[str] = frozenset()


@record
class Removed:
    """What was removed, or with `dry` would be; of queued tasks the names."""

    experiments: tuple[Experiment, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    tasks: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names, experiments first."""
        experiments, attempts = (e.name for e in self.experiments), (a.name for a in self.attempts)
        return tuple(dict.fromkeys((*experiments, *attempts, *self.tasks)))


def remove_experiments(project: Project, repo: GitRepo, removal: Removal) -> Removed:
    """Removes experiments. Cached data stays.

    Raises:
        UsageError: Names and selectors are mixed, or neither is given.
        NotFoundError: A name is not known; nothing has been removed.
    """
    planned = plan_removal(project, repo, removal)
    if not removal.dry:
        apply_removal(project, repo, planned)
    return planned


def apply_removal(project: Project, repo: GitRepo, planned: Removed, *more: RefUpdate) -> None:
    """Removes experiments and attempts; `more` refs are written in the same transaction.

    Raises:
        ConflictError: A ref is not what it was when that was planned; nothing has been removed.
    """
    if not (planned.experiments or planned.attempts or more):
        return
    gone: set[str] = {experiment.commit for experiment in planned.experiments}
    updates = [RefUpdate(ref=experiment.ref, new=None, old=experiment.commit) for experiment in planned.experiments]
    updates += [RefUpdate(ref=ref, new=None, old=ANY) for ref, commit in list_refs(repo, EXEC_APPLY) if commit in gone]
    updates += removed_labels(repo, planned.experiments)
    forget_attempts(repo, project.root, planned.attempts, *updates, *more)


def plan_removal(project: Project, repo: GitRepo, removal: Removal) -> Removed:
    """Decides what goes; removes nothing."""
    by_selector = removal.everything or bool(removal.revs) or removal.n_commits is not None
    if removal.names and by_selector:
        raise UsageError("give either names, or one of -A, --rev and -n", hint="ob exp remove --help")
    if not removal.names and not by_selector:
        raise UsageError("name the experiments to remove", hint="ob exp remove NAME..., or -A for all")
    experiments = list_experiments(repo)
    ended = tuple(a for a in list_attempts(repo, project.root) if a.true_state is not AttemptState.RUNNING)
    if by_selector:
        baselines = (
            None if removal.everything else baselines_of(repo, Choice(revs=removal.revs, n_commits=removal.n_commits))
        )
        chosen = tuple(e for e in experiments if baselines is None or e.baseline in baselines)
        attempts = tuple(a for a in ended if baselines is None or a.baseline in baselines)
    else:
        chosen, attempts = _named(repo, removal, experiments, ended)
    if not removal.keep:
        return Removed(experiments=chosen, attempts=attempts)
    kept, kept_attempts = {e.ref for e in chosen}, {a.id for a in attempts}
    return Removed(
        experiments=tuple(e for e in experiments if e.ref not in kept),
        attempts=tuple(a for a in ended if a.id not in kept_attempts),
    )


def _named(
    repo: GitRepo, removal: Removal, experiments: Sequence[Experiment], ended: Sequence[Attempt]
) -> tuple[tuple[Experiment, ...], tuple[Attempt, ...]]:
    chosen: dict[str, Experiment] = {}
    attempts: dict[str, Attempt] = {}
    unknown = []
    for name in removal.names:
        found = experiments_named(repo, name, experiments)
        failed = [a for a in ended if _is_called(a, name)]
        if not found and not failed and name not in removal.names_elsewhere:
            unknown.append(name)
        chosen.update((e.ref, e) for e in found)
        attempts.update((a.id, a) for a in failed)
    if unknown:
        refuse_parts(repo, unknown)
        known = [e.name for e in experiments] + [a.name for a in ended]
        raise NotFoundError(
            f"there is no experiment {' or '.join(repr(name) for name in unknown)}; nothing was removed",
            hint=did_you_mean(unknown[0], known) or "ob exp list -A shows all experiments",
        )
    return tuple(chosen.values()), tuple(attempts.values())


def _is_called(attempt: Attempt, name: str) -> bool:
    if is_pattern(name):
        return fnmatchcase(attempt.name, name)
    return name in (attempt.name, attempt.id) or (attempt.commit is not None and is_abbreviation(name, attempt.commit))
