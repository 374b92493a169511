"""The name an experiment gets: the one asked for if it is free, or an automatic one."""

from offbranch.base.errors import ConflictError
from offbranch.base.made_up_names import Chooser, generate_name
from offbranch.experiments.names import check_name
from offbranch.experiments.refs import encode, list_experiments
from offbranch.git.objects import CommitId
from offbranch.git.refs import is_own, may_have_refs
from offbranch.git.repository import GitRepo


class _Taken:
    """The names of the experiments of a baseline; most questions need no process of Git.

    Args:
        more: Others that are taken.
    """

    def __init__(self, repo: GitRepo, baseline: CommitId, more: frozenset[str]) -> None:
        self._repo, self._baseline, self._more = repo, baseline, more
        self._names: frozenset[str] | None = None

    def __contains__(self, name: object) -> bool:
        if name in self._more:
            return True
        if self._names is None:
            if is_own(self._repo) and not may_have_refs(self._repo, encode(self._baseline, str(name))):
                return False
            self._names = frozenset(each.name for each in list_experiments(self._repo, self._baseline))
        return name in self._names


def choose_name(
    wanted: str | None,
    repo: GitRepo,
    baseline: CommitId,
    rng: Chooser,
    *,
    force: bool,
    reserved: frozenset[str] = frozenset(),
) -> str:
    """Returns the name for a new experiment of a baseline.

    Args:
        reserved: Names that something which waits in the queue will need.

    Raises:
        UsageError: The name asked for is not valid.
        ConflictError: It is taken and not to be replaced.
    """
    if wanted is not None:
        check_name(wanted)
    taken = _Taken(repo, baseline, reserved if wanted is None else frozenset())
    if wanted is None:
        return generate_name(taken, rng)
    if wanted in taken and not force:
        raise ConflictError(
            f"an experiment '{wanted}' exists already for this baseline",
            hint="-f replaces it; -n gives another name; without -n a free name is chosen",
        )
    if wanted in reserved and not force:
        raise ConflictError(
            f"a task '{wanted}' waits in the queue, and would fail if there were an experiment of its name",
            hint="ob queue start runs it; -n gives another name; without -n a free name is chosen",
        )
    return wanted
