"""Looking at experiments: `exp show`, `exp list`, `exp diff`. Nothing here changes the project or takes a lock.

Rendering is the caller's: the functions of `views/json.py`, `text.py`, `terminal.py`, `csv.py`, `markdown.py`,
`listing.py` and `diff_text.py` return whole texts with their line ends, to be written as they are.
"""

from typing import Final

from offbranch.base.environ import Environment
from offbranch.base.errors import NoProjectError
from offbranch.base.events import NullReporter, Reporter
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.experiments.diff_record import ExperimentDiff
from offbranch.experiments.refs import TASKS
from offbranch.git.refs import may_have_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project, open_project
from offbranch.views.listing import Listing, ListOptions, collect_listing
from offbranch.views.options import ShowOptions
from offbranch.views.table import State, Table, make_table

# Loaded when asked for: a list of names needs none of what reading a pipeline needs.
PARTS: Final = {
    "collect": "offbranch.views.collect:collect_states",
    "filter": "offbranch.views.filter:filter_states",
    "select": "offbranch.views.select:select",
    "diff": "offbranch.experiments.diff:diff_experiments",
    "task": "offbranch.queue.store:revision_of",
}


def exp_show(
    options: ShowOptions, *, start: AbsPath, environment: Environment, reporter: Reporter | None = None
) -> tuple[State, ...]:
    """Returns the workspace, the chosen commits and their experiments, in the structure that `--json` prints.

    Args:
        options: Which revisions and experiments; what concerns columns and sorting is only for tables.
        start: A directory of the project.
        environment: Variables of the process.
        reporter: Takes progress.

    Returns:
        The workspace first, then baselines, those that no branch reaches any more last; their experiments running,
        successful, queued, failed, each newest first. A revision that cannot be read has an `error` and hides no other.

    Raises:
        NoProjectError: There is no project, or no Git repository around it.
        NotFoundError: A revision, or a name in a condition, does not exist.
        UsageError: A condition makes no sense.
        GitError: There is no commit yet.
    """
    project = open_project(start, environment)
    states: tuple[State, ...] = load(PARTS["collect"])(project, _need_git(project), options, reporter or NullReporter())
    if not options.has_filter:
        return states
    chosen: tuple[State, ...] = load(PARTS["filter"])(states, options)
    return chosen


def exp_table(
    options: ShowOptions, *, start: AbsPath, environment: Environment, reporter: Reporter | None = None
) -> Table:
    """Returns the same as a table, its columns selected and its rows sorted.

    Raises:
        NotFoundError: A revision, or the column to sort by, does not exist.
        UsageError: A column is ambiguous, or a pattern malformed.
    """
    states = exp_show(options, start=start, environment=environment, reporter=reporter)
    table: Table = load(PARTS["select"])(make_table(states, sha=options.sha), options)
    return table


def exp_list(options: ListOptions, *, start: AbsPath, environment: Environment) -> Listing:
    """Returns the names of experiments by baseline, in the order of their names.

    Raises:
        NoProjectError: There is no project, or no Git repository around it.
        NotFoundError: A revision does not exist.
    """
    project = open_project(start, environment)
    return collect_listing(_need_git(project), options, root=project.root)


def exp_diff(
    a: str | None = None,
    b: str | None = None,
    *,
    all_values: bool = False,
    param_deps: bool = False,
    start: AbsPath,
    environment: Environment,
) -> ExperimentDiff:
    """Compares the parameters and metrics of two revisions: HEAD (`a`) and the workspace (`b`) unless given.

    Args:
        a: Git revision, experiment or queued task; the old values.
        b: Git revision, experiment, queued task, or `workspace`; the new ones.
        all_values: Lists what is the same, too.
        param_deps: Only parameters that a stage depends on.
        start: A directory of the project.
        environment: Variables of the process.

    Raises:
        NotFoundError: A revision does not exist.
    """
    project = open_project(start, environment)
    repo = _need_git(project)
    if may_have_refs(repo, TASKS):
        a, b = (rev and load(PARTS["task"])(repo, project.root, rev) for rev in (a, b))
    found: ExperimentDiff = load(PARTS["diff"])(project, repo, a, b, all_values=all_values, param_deps=param_deps)
    return found


def _need_git(project: Project) -> GitRepo:
    if project.repo is None:
        raise NoProjectError(
            "experiments need a Git repository around the project",
            hint="git init && git add -A && git commit -m start",
        )
    return project.repo
