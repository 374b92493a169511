"""What runs and what has ended, with the curves of each, read again and again: the eyes of `live_look.py`."""

import json
import os
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

from offbranch.api.naming import revision_of
from offbranch.api.show_follow import PAUSE_S
from offbranch.base.errors import OffbranchError
from offbranch.base.plugins import load
from offbranch.base.processes import start_time
from offbranch.base.records import record, replace
from offbranch.experiments.plot_files import WORKSPACE, open_revisions
from offbranch.experiments.refs import TASKS, find_checkpoint
from offbranch.experiments.wanted import wanted_of
from offbranch.git.refs import may_have_refs
from offbranch.project import Project
from offbranch.queue.pulse import FULL_LOOK_S, has_changed, remember, wait_for_change
from offbranch.queue.run_files import RunPlace, files_of_experiments, running_places, workspace_place
from offbranch.queue.status import QUEUED, RUNNING, QueueStatus, TaskStatus
from offbranch.views.listing import count_each
from offbranch.views.live_series import (
    DEFAULT_DIR,
    GrowingSeries,
    LiveRun,
    Series,
    live_dirs,
    metrics_dir,
    series_of_files,
)

ENDED = "ended"
PARTS = {"queue": "offbranch.queue.standing:read_status"}
# The second alone where the program does not want to leave an experiment.
_SIGNALS = tuple(f".dvc/tmp/exps/run/{name}" for name in ("DVCLIVE_ONLY", "DVCLIVE_STEP_COMPLETED"))
# Of what has ended meanwhile, where nothing is named.
_MOST_ENDED = 6
# A program in the workspace that was killed leaves its signal behind.
_LOOK_S = 2.0


@record
class Sight:
    """What there is at one moment.

    Attributes:
        runs: What was asked for: what runs or waits and the workspace, then what has ended.
        unknown: Words that stand for no run and no metric.
        waiting: Names of the tasks in the queue that will become one of these, where nothing that was asked for runs.
        has_workers: Whether workers are there to take them.
    """

    runs: tuple[LiveRun, ...]
    unknown: tuple[str, ...]
    waiting: tuple[str, ...] = ()
    has_workers: bool = True


class Look:
    """Looks again and again at the same things."""

    def __init__(self, project: Project, words: Sequence[str]) -> None:
        self._project = project
        self._words = words
        self._growing: dict[str, GrowingSeries] = {}
        self._ended: dict[str, LiveRun] = {}
        self._seen: tuple[RunPlace, ...] = ()
        self._grown_before: dict[str, LiveRun] = {}
        self._shown: dict[str, None] = {}
        self._metrics: set[str] = set()
        self._logged_here = False

    def read(self) -> Sight:
        """Returns what there is."""
        places = running_places(self._project)
        self._seen = places
        self._logged_here = self._logs_here()
        running = {
            name: each for each in reversed(places) if each.attempt for name in (each.attempt.id, each.attempt.name)
        }
        for name in running:
            self._ended.pop(name, None)
        is_all_known = all(word in running or word in self._ended or word in self._metrics for word in self._words)
        tasks, has_workers = ((), True) if running and is_all_known else self._tasks()
        named, rest = self._named(running, {task.name for task in tasks})
        runs = list(named) if named is not None else [self._grown(each) for each in places]
        ended = [self._ended[word] for word in self._words if word in self._ended]
        if named is None:
            ended = self._ended_meanwhile(running)
            in_workspace = any(each.root == self._project.root for each in places)
            if not in_workspace and (self._logged_here or not (places or ended or tasks)):
                runs.append(self._workspace())
        else:
            tasks = tuple(task for task in tasks if task.name in self._words)
        metrics = {name for run in (*runs, *ended) for name in run.series}
        self._metrics = {word for word in rest if any(is_meant(word, name) for name in metrics)}
        return Sight(
            runs=(*runs, *ended),
            unknown=tuple(word for word in rest if word not in self._metrics),
            waiting=tuple(dict.fromkeys(task.name for task in tasks)),
            has_workers=has_workers,
        )

    def _tasks(self) -> tuple[tuple[TaskStatus, ...], bool]:
        """Returns the tasks that will be run, or are where nothing is seen of them, and whether there are workers."""
        repo = self._project.repo
        if repo is None or not may_have_refs(repo, TASKS):
            return (), True
        status: QueueStatus = load(PARTS["queue"])(repo, self._project.root)
        wait = (task for task in status.tasks if task.state == QUEUED and not (task.is_held or task.problem))
        busy = [task for task in status.tasks if task.state == RUNNING]
        is_seen_to = bool(status.workers or busy) or any(task.job is not None for task in status.tasks)
        return (*busy, *wait), is_seen_to

    def _named(
        self, running: Mapping[str, RunPlace], waiting: Container[str]
    ) -> tuple[list[LiveRun] | None, list[str]]:
        """Returns what is named and has not ended (None where no run is named at all), and the words that are left."""
        found: list[LiveRun] = []
        rest = []
        for word in self._words:
            if word in running:
                found.append(self._grown(running[word]))
            elif word == WORKSPACE:
                found.append(self._workspace())
            elif word in waiting:
                self._ended.pop(word, None)
                before = next(iter(self._gone(word)), None)
                found.append(LiveRun(name=word, state=QUEUED, series={} if before is None else before.series))
            elif word not in self._ended and not self._find_ended(word):
                rest.append(word)
        is_named = len(rest) < len(self._words)
        return (found if is_named else None), rest

    def _ended_meanwhile(self, running: Container[str]) -> list[LiveRun]:
        """Returns the newest of those that were shown and run no more; each is read once."""
        names = [name for name in self._shown if name not in running][-_MOST_ENDED:]
        self._shown.update(dict.fromkeys(each.attempt.name for each in self._seen if each.attempt))
        return [self._ended[name] for name in names if name in self._ended or self._find_ended(name)]

    def _find_ended(self, word: str) -> bool:
        run = next(iter(self._gone(word)), None)
        before = self._grown_before.pop(word, None)
        if run is not None and before is not None and _n_points(before) > _n_points(run):
            # A process that was killed leaves no more than its newest checkpoint; what was seen of it was there all the same.
            run = replace(run, series=before.series)
        if run is not None:
            self._ended[word] = run
        return run is not None

    def _gone(self, word: str) -> Iterator[LiveRun]:
        """Yields what a revision, an experiment, or an attempt that has ended had logged."""
        repo = self._project.repo
        if repo is None:
            return
        try:
            with open_revisions(self._project, repo, (revision_of(self._project, repo, word),)) as (found,):
                wanted = None if found.pipelines is None else wanted_of(found.pipelines)
                dirs = [os.path.dirname(path) for path in wanted.metrics] if wanted is not None else []
                series: dict[str, Series] = {}
                for directory in dict.fromkeys((DEFAULT_DIR, *(each for each in dirs if each))):
                    top = metrics_dir(directory)
                    series |= series_of_files(found.files.expand(top), found.files.read, top)
            n_checkpoints = self._n_checkpoints(word)
        except (OffbranchError, OSError):
            return
        yield LiveRun(name=word, state=ENDED, series=series, checkpoints=n_checkpoints)

    def _n_checkpoints(self, word: str) -> int:
        """Returns how many checkpoints an experiment has, those after the one that is named left out."""
        repo = self._project.repo
        found = None if repo is None else find_checkpoint(repo, word)
        if repo is None or found is None:
            return 0
        n = count_each(repo, (found.experiment,)).get(found.experiment.ref, 0)
        return n if found.number is None else min(n, found.number)

    def _grown(self, place: RunPlace) -> LiveRun:
        attempt = place.attempt
        if attempt is None:
            return self._workspace()
        series = self._series(attempt.id, place)
        run = LiveRun(name=attempt.name, state=RUNNING, series=series, checkpoints=attempt.checkpoints)
        self._grown_before[attempt.name] = run
        return run

    def _workspace(self) -> LiveRun:
        series = self._series(WORKSPACE, workspace_place(self._project))
        return LiveRun(name=WORKSPACE, state=RUNNING if self._logged_here else ENDED, series=series)

    def _series(self, key: str, place: RunPlace) -> Mapping[str, Series]:
        if key not in self._growing:
            self._growing[key] = GrowingSeries(place.root)
        return self._growing[key].read(live_dirs(place.root, () if place.wanted is None else place.wanted.metrics))

    def _logs_here(self) -> bool:
        """Tells whether a program that runs by itself, outside of any experiment, logs into the workspace now."""
        return any(_names_living(os.path.join(self._project.root, signal)) for signal in _SIGNALS)

    def wait(self, began_ns: int, sleep: Callable[[float], None], *, until: float | None = None) -> None:
        """Returns when something may have been logged, or when `until` has come, of the monotonic clock."""
        project, repo = self._project, self._project.repo
        if repo is None:
            sleep(PAUSE_S)
            return
        files = [os.path.join(project.root, signal) for signal in _SIGNALS]
        files += files_of_experiments(project, repo)
        files += [path for each in self._growing.values() for path in each.files()]
        runs = [place.attempt for place in self._seen if place.attempt is not None]
        seen = remember(repo, project.root, QueueStatus(), files, began_ns=began_ns, runs=runs)
        sleep(PAUSE_S)
        end = time.monotonic() + FULL_LOOK_S
        while (now := time.monotonic()) < end and not has_changed(repo, project.root, seen):
            if (until is not None and now >= until) or self._logs_here() is not self._logged_here:
                return
            wait_for_change(repo, project.root, seen, until=min(now + _LOOK_S, end, until or end), sleep=sleep)


def _n_points(run: LiveRun) -> int:
    return sum(len(each.steps) for each in run.series.values())


def _names_living(path: str) -> bool:
    """Tells whether the process that a signal file names is there."""
    try:
        with open(path, encoding="utf-8") as file:
            signal: Any = json.load(file)
    except (OSError, ValueError):
        return False
    pid = signal.get("pid") if isinstance(signal, dict) else None
    return isinstance(pid, int) and start_time(pid) is not None


def is_meant(word: str, metric: str) -> bool:
    """Tells whether a word means a metric: its name, the beginning of that up to a `/`, or the end from one on."""
    return metric == word or metric.startswith(f"{word.rstrip('/')}/") or metric.endswith(f"/{word}")
