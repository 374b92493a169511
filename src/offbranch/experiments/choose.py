"""Which experiments a user means, of those that are here or at a Git remote: by name, pattern, commit or baseline."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from offbranch.base.errors import NotFoundError, UsageError, did_you_mean
from offbranch.base.records import record
from offbranch.experiments.checkpoint_commits import part_of_experiment
from offbranch.experiments.experiment import Experiment
from offbranch.experiments.refs import find_checkpoint, is_abbreviation, resolve_any
from offbranch.git.ids import CommitId
from offbranch.git.refs import commit_history
from offbranch.git.repository import GitRepo, head_commit

_PATTERN_SIGNS = frozenset("*?[")


@record
class Choice:
    """Which experiments; nothing set means those of HEAD.

    Attributes:
        names: Names, full refs, shell patterns of names, or beginnings of commit ids.
        everything: All.
        revs: Those of these baselines.
        n_commits: With `revs` (default HEAD): of so many commits back from each, by first parents; negative for all.
    """

    names: tuple[str, ...] = ()
    everything: bool = False
    revs: tuple[str, ...] = ()
    n_commits: int | None = None

    @property
    def by_baseline(self) -> bool:
        """Something else than names is given."""
        return self.everything or bool(self.revs) or self.n_commits is not None


def check_choice(choice: Choice) -> None:
    """Makes sure that names and other ways to choose are not mixed.

    Raises:
        UsageError: They are.
    """
    if choice.names and choice.by_baseline:
        raise UsageError("give either names, or one of -A, --rev and -n", hint="names find experiments of any baseline")


def choose_experiments(
    repo: GitRepo, choice: Choice, experiments: Sequence[Experiment], *, where: str, hint: str
) -> tuple[Experiment, ...]:
    """Returns the experiments that are meant, in the order of their refs.

    Args:
        repo: Resolves baselines.
        choice: What is meant.
        experiments: Those there are.
        where: Where they are, for messages: nothing, or ` at Git remote 'origin'`.
        hint: Where no name is near an unknown one.

    Raises:
        UsageError: Names and other ways to choose are mixed.
        NotFoundError: A name means none, or several that no baseline tells apart; a revision does not exist.
    """
    check_choice(choice)
    if choice.everything:
        return tuple(experiments)
    if choice.names:
        return _named(repo, choice.names, experiments, where, hint)
    baselines = baselines_of(repo, choice)
    return tuple(e for e in experiments if e.baseline in baselines)


def baselines_of(repo: GitRepo, choice: Choice) -> frozenset[CommitId]:
    """Returns the commits that experiments of a choice start from."""
    found: set[CommitId] = set()
    for rev in choice.revs:
        found.update(_history(repo, resolve_any(repo, rev), choice.n_commits))
    if not choice.revs:
        found.update(_history(repo, head_commit(repo), choice.n_commits))
    return frozenset(found)


def _history(repo: GitRepo, start: CommitId, n_commits: int | None) -> Iterable[CommitId]:
    if n_commits is None or n_commits == 1:
        return (start,)
    return commit_history(repo, start, None if n_commits < 0 else n_commits)


def _named(
    repo: GitRepo, names: Sequence[str], experiments: Sequence[Experiment], where: str, hint: str
) -> tuple[Experiment, ...]:
    chosen: set[str] = set()
    unknown = []
    for name in names:
        found = experiments_named(repo, name, experiments, where=where)
        chosen.update(e.ref for e in found)
        if not found:
            unknown.append(name)
    if unknown:
        refuse_parts(repo, unknown)
        texts = " or ".join(repr(name) for name in unknown)
        known = [e.name for e in experiments]
        raise NotFoundError(f"there is no experiment {texts}{where}", hint=did_you_mean(unknown[0], known) or hint)
    return tuple(e for e in experiments if e.ref in chosen)


def refuse_parts(repo: GitRepo, names: Iterable[str]) -> None:
    """Says of names that stand for no experiment that they are checkpoints of one, if they are.

    Raises:
        NotFoundError: One is.
    """
    for name in names:
        part = find_checkpoint(repo, name)
        if part is None:
            continue
        whole = part.experiment
        if name not in (whole.name, whole.ref) and not is_abbreviation(name, whole.commit):
            raise part_of_experiment(name, part)


def is_pattern(text: str) -> bool:
    """Tells whether a text is a shell pattern; no name of an experiment has such signs."""
    return not _PATTERN_SIGNS.isdisjoint(text)


def experiments_named(
    repo: GitRepo, name: str, experiments: Sequence[Experiment], *, where: str = ""
) -> Sequence[Experiment]:
    """Returns the experiments that a name, full ref, pattern or abbreviated commit id means; none where it means none.

    Raises:
        NotFoundError: Several have the name, or begin like it, and no baseline tells them apart.
    """
    found = [e for e in experiments if name in (e.name, e.ref)]
    if not found and is_pattern(name):
        return [e for e in experiments if fnmatchcase(e.name, name)]
    found = found or [e for e in experiments if is_abbreviation(name, e.commit)]
    if len(found) <= 1:
        return found
    head = head_commit(repo)
    here = [e for e in found if e.baseline == head]
    if len(here) == 1:
        return here
    baselines = ", ".join(e.baseline[:7] for e in found)
    raise NotFoundError(
        f"the name '{name}' is ambiguous{where}: experiments of the baselines {baselines} have it",
        hint=f"give the full ref, e.g. {found[0].ref}",
    )
