"""The name an experiment gets: the one asked for if it is free, or an automatic one."""

from offbranch.base.errors import ConflictError
from offbranch.base.made_up_names import Chooser, generate_name
from offbranch.experiments.names import check_name
from offbranch.experiments.refs import list_experiments
from offbranch.git.objects import CommitId
from offbranch.git.repository import GitRepo


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
    taken = {experiment.name for experiment in list_experiments(repo, baseline)}
    if wanted is None:
        return generate_name(taken | reserved, rng)
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
