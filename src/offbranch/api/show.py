"""Looking at experiments: `exp show`, `exp list`, `exp diff`, `exp compare`. Nothing here changes the project or takes a lock.

Rendering is the caller's: the functions of `views/json.py`, `text.py`, `terminal.py`, `csv.py`, `markdown.py`,
`listing.py`, `diff_text.py` and `compare_text.py` return whole texts with their line ends, to be written as they are.
"""

from collections.abc import Sequence
from typing import Final

from offbranch.api.naming import revision_of
from offbranch.base.environ import Environment
from offbranch.base.errors import NoProjectError
from offbranch.base.events import NullReporter, Reporter
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.experiments.diff_record import CompareOptions, Comparison, DiffOptions, ExperimentDiff
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
    "compare": "offbranch.experiments.compare:compare_experiments",
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
    options = replace(options, whole_chains=options.checkpoints)
    states = exp_show(options, start=start, environment=environment, reporter=reporter)
    made = make_table(states, sha=options.sha, checkpoints=options.checkpoints, counts=options.counts)
    table: Table = load(PARTS["select"])(made, options)
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
    options: DiffOptions | None = None,
    start: AbsPath,
    environment: Environment,
) -> ExperimentDiff:
    """Compares two revisions: HEAD (`a`) and the workspace (`b`) unless given.

    Args:
        a: Git revision, experiment, attempt or queued task; the old values.
        b: The same, or `workspace`; the new ones.
        options: What is compared; parameters and metrics unless given.
        start: A directory of the project.
        environment: Variables of the process.

    Raises:
        NotFoundError: A revision does not exist.
    """
    project = open_project(start, environment)
    repo = _need_git(project)
    revisions = (rev and revision_of(project, repo, rev) for rev in (a, b))
    found: ExperimentDiff = load(PARTS["diff"])(project, repo, *revisions, options or DiffOptions())
    return replace(found, old_name=a or found.old_name, new_name=b or found.new_name)


def exp_compare(
    names: Sequence[str] = (),
    *,
    options: CompareOptions | None = None,
    start: AbsPath,
    environment: Environment,
) -> Comparison:
    """Compares many revisions in one table, value by value.

    Args:
        names: Git revisions, experiments, attempts, queued tasks or `workspace`. None: HEAD and its experiments; one:
            HEAD and that.
        options: What is compared; everything unless given.
        start: A directory of the project.
        environment: Variables of the process.

    Returns:
        Every value, also what is the same everywhere; in each section what differs comes first.

    Raises:
        NotFoundError: A revision does not exist.
        UsageError: There is nothing to compare with each other.
    """
    project = open_project(start, environment)
    repo = _need_git(project)
    written = {revision_of(project, repo, name): name for name in names}
    found: Comparison = load(PARTS["compare"])(project, repo, tuple(written), options or CompareOptions())
    return replace(found, sides=tuple(replace(each, name=written.get(each.name, each.name)) for each in found.sides))


def _need_git(project: Project) -> GitRepo:
    if project.repo is None:
        raise NoProjectError(
            "experiments need a Git repository around the project",
            hint="git init && git add -A && git commit -m start",
        )
    return project.repo
