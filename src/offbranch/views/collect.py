"""A project and a request -> the structure that `exp show --json` prints; tables are made from that too.

The workspace comes first, then each baseline with its experiments: running, successful, queued, failed; in each of these
groups the newest first. Baselines that no branch reaches any more come last. Nothing that exists is left out silently: a
revision that cannot be read says why.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Reporter
from offbranch.base.paths import join
from offbranch.base.plugins import load
from offbranch.base.records import field, record, replace
from offbranch.experiments.experiment import Attempt, AttemptState
from offbranch.experiments.labels import read_labels
from offbranch.experiments.lost_baselines import find_lost
from offbranch.experiments.peer_signals import has_peer_queue
from offbranch.experiments.refs import ATTEMPTS, TASKS, by_baseline, list_experiments
from offbranch.experiments.revision import RevisionData, data_to_json, read_directory
from offbranch.experiments.revision_files import error_to_json
from offbranch.experiments.running import has_own_directory, where_it_runs
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import may_have_refs
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.views.baselines import Baseline, choose_baselines, lost_to_json, name_baselines
from offbranch.views.cells import local_time
from offbranch.views.chains import commits_to_load, experiment_range, pair_attempts, with_attempt
from offbranch.views.options import ShowOptions
from offbranch.views.rows import Rows
from offbranch.views.table import State

# What waits in the queue; loaded only where something does.
QUEUED = "offbranch.views.tasks"
PEER = "offbranch.views.peer_tasks:peer_range"
_ORDER = {"running": 0, "success": 1, "queued": 2, "failed": 3}


def collect_states(project: Project, repo: GitRepo, options: ShowOptions, reporter: Reporter) -> tuple[State, ...]:
    """Returns the states to show; tells the reporter how far the reading is.

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
    # In this order: what goes on meanwhile has no more checkpoints than its experiment, and what ends is not lost.
    unfinished = _unfinished(project, repo)
    experiments = by_baseline(list_experiments(repo, commits[0] if _is_single(commits, options) else None))
    with ObjectReader(repo) as objects:
        rows = Rows(project, objects, reporter, force=options.force, param_deps=options.param_deps)
        others = {*experiments, *unfinished.baselines} - set(commits)
        lost = find_lost(repo, objects, others, root=project.root) if _wants_lost(options) else ()
        if options.all_commits:
            commits = (*commits, *rows.newest_first(others - {each.commit for each in lost}))
        baselines = name_baselines(repo, commits, () if options.hide_rewritten else lost)
        shown = [experiment for each in baselines for experiment in experiments.get(each.commit, ())]
        chains = rows.chains(shown)
        waiting = [task.rev for each in baselines for task in unfinished.waiting.get(each.commit, ())]
        peers = [task.commit for each in baselines for task in unfinished.peers.get(each.commit, ())]
        labels = read_labels(repo, shown, objects=objects)
        rows.load(
            dict.fromkeys(
                (
                    *(each.commit for each in baselines),
                    *commits_to_load(rows, chains, in_full=options.whole_chains),
                    *peers,
                )
            )
        )
        rows.load(waiting, unmeasured=True)
        states = [] if options.hide_workspace else [_workspace_state(project, options)]
        for baseline in baselines:
            own = experiments.get(baseline.commit, ())
            paired = pair_attempts(rows, own, chains, unfinished.tried.get(baseline.commit, ()))
            ranges = [experiment_range(rows, each, chains[each.ref], labels, options) for each in own]
            ranges = [
                with_attempt(range_, _attempt_range(project, rows, paired.own[each.ref]))
                if each.ref in paired.own
                else range_
                for each, range_ in zip(own, ranges, strict=True)
            ]
            ranges += [_attempt_range(project, rows, each) for each in paired.others]
            ranges += [load(f"{QUEUED}:task_range")(rows, each) for each in unfinished.waiting.get(baseline.commit, ())]
            ranges += [load(PEER)(project, rows, each) for each in unfinished.peers.get(baseline.commit, ())]
            states.append(
                _baseline_state(rows, _named(baseline, options), [each for each in ranges if _is_wanted(each, options)])
            )
        rows.save()
    return tuple(states)


@record
class _Nothing:
    """Stands for `views.tasks.Unfinished` where there is nothing, so that its module is not loaded."""

    tried: Mapping[CommitId, Any] = field(default_factory=dict)
    waiting: Mapping[CommitId, Any] = field(default_factory=dict)
    peers: Mapping[CommitId, Any] = field(default_factory=dict)
    baselines: frozenset[CommitId] = frozenset()


def _unfinished(project: Project, repo: GitRepo) -> Any:
    """Returns the attempts and the tasks to show; what reads them is only loaded where there may be some."""
    if may_have_refs(repo, ATTEMPTS) or may_have_refs(repo, TASKS) or has_peer_queue(project.root):
        return load(f"{QUEUED}:read_unfinished")(project, repo)
    return _Nothing()


def _is_single(commits: Sequence[CommitId], options: ShowOptions) -> bool:
    return len(commits) == 1 and not _wants_lost(options)


def _wants_lost(options: ShowOptions) -> bool:
    """Experiments whose baseline nothing reaches are shown unless the user named revisions, or wants them hidden.

    With all commits they are looked for in any case: only so are they known from those of other branches.
    """
    return options.all_commits or not (options.names_revisions or options.hide_rewritten)


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


def _named(baseline: Baseline, options: ShowOptions) -> Baseline:
    return replace(baseline, name=None) if options.sha else baseline


def _baseline_state(rows: Rows, baseline: Baseline, ranges: list[State]) -> State:
    ordered = sorted(ranges, key=lambda each: (rows.time_of(each["revs"][0]["rev"]), _order_of(each)), reverse=True)
    ordered.sort(key=lambda each: _ORDER.get(_state_of(each), 1))
    about = {} if baseline.lost is None else lost_to_json(baseline.lost)
    return {**rows.state(baseline.commit, baseline.name), "experiments": ordered or None, **about}


def _order_of(range_: State) -> str:
    """Returns what sorts the rows of one moment: tasks that were queued together stay in their order."""
    executor = range_["executor"] or {}
    return str(executor.get("queue_id") or range_["revs"][0]["rev"])


def _attempt_range(project: Project, rows: Rows, tried: Any) -> State:
    attempt: Attempt = tried.attempt
    rev = attempt.commit or attempt.baseline
    if tried.is_running and has_own_directory(project, attempt):
        shown = _live_state(rev, attempt.name, lambda: _read_live(project, attempt), local_time(attempt.started_utc))
    else:
        shown = rows.attempt_state(attempt)
        if not tried.is_running:
            shown["error"] = {"msg": attempt.cause or _SILENT_END[attempt.true_state], "type": ""}
    executor = {
        "state": "running" if tried.is_running else "failed",
        "name": attempt.where.value,
        "local": {
            "root": attempt.root,
            "log": join(project.root, attempt.log),
            "pid": attempt.process.pid if tried.is_running else None,
            "returncode": attempt.exit_code,
            "task_id": None,
        },
        "attempt_id": attempt.id,
        "queue_id": attempt.task_id,
        **({} if tried.task is None else load(f"{QUEUED}:about_task")(tried.task)),
    }
    about = {"n_checkpoints": attempt.checkpoints} if attempt.checkpoints else {}
    return {"revs": [shown], "executor": executor, "name": attempt.name, **about}


_SILENT_END = {
    AttemptState.INTERRUPTED: "interrupted: its process ended without a word",
    AttemptState.CANCELLED: "cancelled",
    AttemptState.FAILED: "failed",
    AttemptState.SUCCEEDED: "its experiment was not made",
}


def _read_live(project: Project, attempt: Attempt) -> RevisionData:
    reader, ignores = where_it_runs(project, attempt)
    return read_directory(reader, ignores=ignores, cache=project.cache, param_deps=False)
