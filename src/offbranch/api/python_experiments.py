"""Experiments as values: `exp_show` and `exp_save` with the signatures of `dvc.api`.

Actions with a `Session`, which say more and can do more, are in `api/show.py` and `api/exp_keep.py`.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from offbranch.api.exp_keep import save
from offbranch.api.python_place import project_or_clone, where_is
from offbranch.api.session import make_session, need_git
from offbranch.base.events import NullReporter
from offbranch.base.paths import RepoPath
from offbranch.experiments.save import SaveRequest
from offbranch.views.collect import collect_states
from offbranch.views.experiment_rows import ExperimentRows, rows_of_table
from offbranch.views.options import ShowOptions
from offbranch.views.table import make_table


def exp_show(
    repo: str | os.PathLike[str] | None = None,
    revs: str | Iterable[str] | None = None,
    num: int = 1,
    param_deps: bool = False,
    force: bool = False,
    config: Mapping[str, Any] | None = None,
) -> ExperimentRows:
    """Returns the table of experiments as one dict per row: the workspace, then each baseline with its experiments.

    Args:
        repo: Directory or Git url of the project; by default the one around the current directory.
        revs: Revisions to start from; HEAD by default.
        num: How many commits from each start on; negative means all.
        param_deps: Only parameters that a stage depends on.
        force: Reads every revision anew instead of using what was remembered.
        config: Settings laid over the project's own, as nested maps.

    Returns:
        A list of dicts whose keys are the columns of `ob exp show --csv`, in order. Numbers are as the files have them,
        `Created` is an ISO 8601 time with its zone, what is missing is None. Notebooks show it as a table, and
        `to_pandas()` makes a data frame of it.

    Raises:
        NoProjectError: There is no project, or no Git repository around it.
        NotFoundError: A revision does not exist.
    """
    chosen = (revs,) if isinstance(revs, str) else tuple(revs or ())
    options = ShowOptions(revs=chosen, num=num, param_deps=param_deps, force=force, whole_chains=False)
    with project_or_clone(where_is(repo), config) as project:
        states = collect_states(project, need_git(project), options, NullReporter())
        return rows_of_table(make_table(states, counts=False))


def exp_save(name: str | None = None, force: bool = False, include_untracked: str | Iterable[str] | None = None) -> str:
    """Saves the workspace around the current directory as an experiment, without running anything.

    Args:
        name: Its name; by default one is made up.
        force: Replaces an experiment of this name.
        include_untracked: Untracked files and directories that it shall have too.

    Returns:
        The commit id of the experiment.

    Raises:
        ConflictError: The name is taken for this baseline.
        NotFoundError: There is nothing at a path to include.
    """
    session = make_session()
    paths = (include_untracked,) if isinstance(include_untracked, str) else tuple(include_untracked or ())
    request = SaveRequest(name=name, force=force, include=tuple(map(RepoPath, paths)))
    return save(request, session).commit
