"""A project and a request -> the structure that `exp show --json` prints; tables are made from that too.

The workspace comes first, then each baseline with its experiments: running, successful, queued, failed; in each of these
groups the newest first. Nothing that exists is left out silently: a revision that cannot be read says why.
"""

from collections.abc import Callable, Iterable, Sequence

from offbranch.base.errors import OffbranchError
from offbranch.base.files import DirectoryReader
from offbranch.base.paths import AbsPath, join
from offbranch.base.plugins import load
from offbranch.experiments.attempts import list_attempts
from offbranch.experiments.experiment import Attempt, AttemptState, Experiment
from offbranch.experiments.refs import TASKS, by_baseline, list_experiments
from offbranch.experiments.revision import RevisionData, data_to_json, read_directory
from offbranch.experiments.revision_files import error_to_json
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import may_have_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.storage.ignore import load_ignore_rules
from offbranch.views.baselines import Baseline, choose_baselines, name_baselines
from offbranch.views.options import ShowOptions
from offbranch.views.rows import Rows, local_time
from offbranch.views.table import State

# What waits in the queue; loaded only where something does.
QUEUED = "offbranch.views.tasks"
_ORDER = {"running": 0, "success": 1, "queued": 2, "failed": 3}


def collect_states(project: Project, repo: GitRepo, options: ShowOptions) -> tuple[State, ...]:
    """Returns the states to show.

    Raises:
        NotFoundError: A revision does not exist.
        GitError: There is no commit yet.
    """
    commits = choose_baselines(
        repo,
        revs=options.revs,
        num=options.num,
        all_branches_=options.all_branches,
        all_tags_=options.all_tags,
        all_commits=options.all_commits,
    )
    experiments = by_baseline(list_experiments(repo, commits[0] if _is_single(commits, options) else None))
    known = list_attempts(repo, project.root)
    attempts = by_attempt_baseline(known)
    tasks = load(f"{QUEUED}:queued_by_baseline")(repo, project.root, known) if may_have_refs(repo, TASKS) else {}
    with ObjectReader(repo) as objects:
        rows = Rows(project, objects, force=options.force, param_deps=options.param_deps)
        if options.all_commits:
            commits = (*commits, *rows.newest_first({*experiments, *attempts, *tasks} - set(commits)))
        shown = [experiment for commit in commits for experiment in experiments.get(commit, ())]
        chains = {
            experiment.ref: rows.chain(experiment.commit, experiment.baseline) for experiment in _load(rows, shown)
        }
        waiting = [task.commit for commit in commits for task in tasks.get(commit, ())]
        rows.load(dict.fromkeys((*commits, *(each for chain in chains.values() for each in chain), *waiting)))
        states = [] if options.hide_workspace else [_workspace_state(project, options)]
        for baseline in name_baselines(repo, commits):
            ranges = [_experiment_range(rows, each, chains[each.ref]) for each in experiments.get(baseline.commit, ())]
            ranges += [_attempt_range(project, rows, each) for each in attempts.get(baseline.commit, ())]
            ranges += [load(f"{QUEUED}:task_range")(rows, each) for each in tasks.get(baseline.commit, ())]
            states.append(_baseline_state(rows, baseline, [each for each in ranges if _is_wanted(each, options)]))
        rows.save()
    return tuple(states)


def by_attempt_baseline(attempts: Iterable[Attempt]) -> dict[CommitId, list[Attempt]]:
    """Returns attempts grouped by their baseline."""
    groups: dict[CommitId, list[Attempt]] = {}
    for attempt in attempts:
        groups.setdefault(attempt.baseline, []).append(attempt)
    return groups


def _is_single(commits: Sequence[CommitId], options: ShowOptions) -> bool:
    return len(commits) == 1 and not options.all_commits


def _load(rows: Rows, experiments: list[Experiment]) -> list[Experiment]:
    rows.load_commits([experiment.commit for experiment in experiments])
    return experiments


def _is_wanted(range_: State, options: ShowOptions) -> bool:
    state = _state_of(range_)
    if options.queued and state not in ("queued", "running"):
        return False
    return not (options.hide_failed and state == "failed") and not (options.hide_queued and state == "queued")


def _state_of(range_: State) -> str:
    return "success" if range_["executor"] is None else str(range_["executor"]["state"])


def _workspace_state(project: Project, options: ShowOptions) -> State:
    def read() -> RevisionData:
        return read_directory(
            project.reader, ignores=project.ignore.ignores, cache=project.cache, param_deps=options.param_deps
        )

    return _live_state("workspace", None, read)


def _live_state(rev: str, name: str | None, read: Callable[[], RevisionData], timestamp: str | None = None) -> State:
    try:
        data, error = data_to_json(read(), rev=rev, timestamp=timestamp), None
    except (OffbranchError, OSError) as failure:
        data, error = None, error_to_json(failure)
    return {"rev": rev, "name": name, "data": data, "error": error, "experiments": None}


def _baseline_state(rows: Rows, baseline: Baseline, ranges: list[State]) -> State:
    ordered = sorted(ranges, key=lambda each: (rows.time_of(each["revs"][0]["rev"]), _order_of(each)), reverse=True)
    ordered.sort(key=lambda each: _ORDER.get(_state_of(each), 1))
    return {**rows.state(baseline.commit, baseline.name), "experiments": ordered or None}


def _order_of(range_: State) -> str:
    """Returns what sorts the rows of one moment: tasks that were queued together stay in their order."""
    executor = range_["executor"] or {}
    return str(executor.get("queue_id") or range_["revs"][0]["rev"])


def _experiment_range(rows: Rows, experiment: Experiment, chain: Sequence[CommitId]) -> State:
    tip, *older = chain
    revs = [rows.state(tip, experiment.name), *(rows.state(commit, None) for commit in older)]
    return {"revs": revs, "executor": None, "name": experiment.name}


def _attempt_range(project: Project, rows: Rows, attempt: Attempt) -> State:
    state = attempt.true_state
    rev = attempt.commit or attempt.baseline
    if state is AttemptState.RUNNING:
        shown = _live_state(rev, attempt.name, lambda: _read_live(project, attempt), local_time(attempt.started_utc))
    else:
        shown = rows.attempt_state(rev, attempt)
        shown["error"] = {"msg": attempt.cause or _SILENT_END[state], "type": ""}
    executor = {
        "state": "running" if state is AttemptState.RUNNING else "failed",
        "name": attempt.where.value,
        "local": {
            "root": attempt.root,
            "log": join(project.root, attempt.log),
            "pid": attempt.process.pid if state is AttemptState.RUNNING else None,
            "returncode": attempt.exit_code,
            "task_id": None,
        },
        "attempt_id": attempt.id,
        "queue_id": attempt.task_id,
    }
    return {"revs": [shown], "executor": executor, "name": attempt.name}


_SILENT_END = {
    AttemptState.INTERRUPTED: "interrupted: its process ended without a word",
    AttemptState.CANCELLED: "cancelled",
    AttemptState.FAILED: "failed",
    AttemptState.SUCCEEDED: "its experiment was not made",
}


def _read_live(project: Project, attempt: Attempt) -> RevisionData:
    root = AbsPath(attempt.root)
    ignores = project.ignore.ignores if root == project.root else load_ignore_rules(root).ignores
    return read_directory(DirectoryReader(root), ignores=ignores, cache=project.cache, param_deps=False)
