"""The curves of runs, while they run and afterwards: what `ob live` draws. Nothing here changes the project or takes a lock."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from offbranch.api.naming import revision_of
from offbranch.api.session import Session, opened
from offbranch.api.show_follow import PAUSE_S
from offbranch.base.errors import NotFoundError, OffbranchError, did_you_mean
from offbranch.base.paths import AbsPath
from offbranch.base.processes import start_time
from offbranch.base.records import record, replace
from offbranch.experiments.plot_files import WORKSPACE, open_revisions
from offbranch.experiments.refs import find_checkpoint
from offbranch.experiments.wanted import wanted_of
from offbranch.project import Project
from offbranch.queue.pulse import has_changed, remember, wait_for_change
from offbranch.queue.run_files import RunPlace, files_of_experiments, running_places, workspace_place
from offbranch.queue.status import QueueStatus
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

_SIGNAL = ".dvc/tmp/exps/run/DVCLIVE_ONLY"
RUNNING, ENDED = "running", "ended"


@record
class LiveView:
    """Curves at one moment.

    Attributes:
        runs: Those that were asked for: running ones and the workspace, then ended ones.
        is_over: Nothing of it runs, so nothing will change by itself.
    """

    runs: tuple[LiveRun, ...]
    is_over: bool


def live_view(words: Sequence[str], session: Session) -> LiveView:
    """Returns the curves of what runs now, of the workspace, and of experiments that are named.

    Args:
        words: Names of experiments (running or not), checkpoints, Git revisions or `workspace`; all others are metrics, or the
            beginning or end of their names at a `/`. Without names it is everything that runs, or else the workspace.
        session: Where.

    Raises:
        NotFoundError: A word is neither; there is nothing to draw.
        NoProjectError: There is no project.
    """
    with opened(session) as project:
        view, unknown = _Look(project, words).read()
        known = sorted({name for run in view.runs for name in run.series})
        if project.repo is not None:
            for word in unknown:
                find_checkpoint(project.repo, word)  # says how many checkpoints there are, where it names one too many
    for word in unknown:
        hint = did_you_mean(word, known) or f"metrics are {', '.join(known[:8])}" if known else "nothing is logged yet"
        raise NotFoundError(f"'{word}' is neither an experiment nor a metric of what is shown", hint=hint)
    return _shown(view, words)


def follow_live(
    words: Sequence[str], session: Session, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[LiveView]:
    """Yields the same, and again whenever something was logged; ends when nothing of it runs any more.

    A word that stands for nothing yet may become a metric.

    Raises:
        NoProjectError: There is no project.
    """
    with opened(session) as project:
        look, last = _Look(project, words), None
        while True:
            began_ns = time.time_ns()
            view, _ = look.read()
            shown = _shown(view, words)
            stamp = _stamp(shown)
            if stamp != last:
                last = stamp
                yield shown
            if view.is_over:
                return
            look.wait(began_ns, sleep)


class _Look:
    """Looks again and again at the same things."""

    def __init__(self, project: Project, words: Sequence[str]) -> None:
        self._project = project
        self._words = words
        self._growing: dict[str, GrowingSeries] = {}
        self._ended: dict[str, LiveRun] = {}
        self._seen: tuple[RunPlace, ...] = ()
        self._shown_ids: dict[str, None] = {}

    def read(self) -> tuple[LiveView, list[str]]:
        """Returns what there is, and the words that stand for no run and no metric."""
        places = running_places(self._project)
        self._seen = places
        running = {
            name: each for each in reversed(places) if each.attempt for name in (each.attempt.id, each.attempt.name)
        }
        named, rest = self._named(running)
        runs = [self._grown(each) for each in (named if named is not None else places)]
        ended = [self._at(word) for word in self._words if word in self._ended]
        if named is None:
            ended = [run for key in self._shown_ids if key not in running for run in self._gone(key)]
            self._shown_ids.update(dict.fromkeys(each.attempt.name for each in places if each.attempt))
            in_workspace = any(each.root == self._project.root for each in places)
            if not in_workspace and (self._logs_here() or not (places or ended)):
                runs.append(self._workspace())
        metrics = {name for run in (*runs, *ended) for name in run.series}
        unknown = [word for word in rest if not any(_is_meant(word, name) for name in metrics)]
        over = not any(run.state == RUNNING for run in runs)
        return LiveView(runs=(*runs, *ended), is_over=over), unknown

    def _named(self, running: Mapping[str, RunPlace]) -> tuple[list[RunPlace] | None, list[str]]:
        """Returns what runs of what is named (None where no run is named at all), and the words that are left."""
        found: list[RunPlace] = []
        rest = []
        for word in self._words:
            if word in running:
                found.append(running[word])
                self._ended.pop(word, None)
            elif word == WORKSPACE:
                found.append(workspace_place(self._project))
            elif word in self._ended or self._find_ended(word):
                continue
            else:
                rest.append(word)
        is_named = len(rest) < len(self._words)
        return (found if is_named else None), rest

    def _find_ended(self, word: str) -> bool:
        run = next(iter(self._gone(word)), None)
        if run is not None:
            self._ended[word] = run
        return run is not None

    def _gone(self, word: str) -> Iterator[LiveRun]:
        """Yields what a revision, an experiment, or an attempt that has ended had logged."""
        try:
            revision = word if self._project.repo is None else revision_of(self._project, self._project.repo, word)
            with open_revisions(self._project, self._project.repo, (revision,)) as (found,):
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

    def _at(self, word: str) -> LiveRun:
        return self._ended[word]

    def _grown(self, place: RunPlace) -> LiveRun:
        attempt = place.attempt
        if attempt is None:
            return self._workspace()
        series = self._series(attempt.id, place)
        return LiveRun(name=attempt.name, state=RUNNING, series=series, checkpoints=attempt.checkpoints)

    def _workspace(self) -> LiveRun:
        series = self._series(WORKSPACE, workspace_place(self._project))
        return LiveRun(name=WORKSPACE, state=RUNNING if self._logs_here() else ENDED, series=series)

    def _series(self, key: str, place: RunPlace) -> Mapping[str, Series]:
        if key not in self._growing:
            self._growing[key] = GrowingSeries(place.root)
        return self._growing[key].read(live_dirs(place.root, () if place.wanted is None else place.wanted.metrics))

    def _logs_here(self) -> bool:
        """Tells whether a program that runs by itself, outside of any experiment, logs into the workspace now."""
        try:
            with open(os.path.join(self._project.root, _SIGNAL), encoding="utf-8") as file:
                signal: Any = json.load(file)
        except (OSError, ValueError):
            return False
        pid = signal.get("pid") if isinstance(signal, dict) else None
        return isinstance(pid, int) and start_time(pid) is not None

    def wait(self, began_ns: int, sleep: Callable[[float], None]) -> None:
        """Returns when something may have been logged."""
        project, repo = self._project, self._project.repo
        if repo is None:
            sleep(PAUSE_S)
            return
        files = [AbsPath(os.path.join(project.root, _SIGNAL)), *files_of_experiments(project, repo)]
        files += [AbsPath(path) for each in self._growing.values() for path in each.files()]
        runs = [place.attempt for place in self._seen if place.attempt is not None]
        seen = remember(repo, project.root, QueueStatus(), files, began_ns=began_ns, runs=runs)
        sleep(PAUSE_S)
        if not has_changed(repo, project.root, seen):
            wait_for_change(repo, project.root, seen, until=time.monotonic() + _LOOK_S, sleep=sleep)


# A program in the workspace that was killed leaves its signal behind.
_LOOK_S = 2.0


def _shown(view: LiveView, words: Sequence[str]) -> LiveView:
    """Returns the view with those metrics only that are asked for, if any is."""
    names = {name for run in view.runs for name in run.series}
    runs_named = {run.name for run in view.runs}
    wanted = [word for word in words if word not in runs_named]
    if not wanted:
        return view
    kept = {name for name in names if any(_is_meant(word, name) for word in wanted)}
    runs = (replace(run, series={name: each for name, each in run.series.items() if name in kept}) for run in view.runs)
    return replace(view, runs=tuple(runs))


def _is_meant(word: str, metric: str) -> bool:
    """Tells whether a word means a metric: its name, the beginning of that up to a `/`, or the end from one on."""
    return metric == word or metric.startswith(f"{word.rstrip('/')}/") or metric.endswith(f"/{word}")


def _stamp(view: LiveView) -> object:
    """Returns what tells one moment from another: curves only grow, or begin anew."""
    return [
        (
            run.name,
            run.state,
            run.checkpoints,
            [(name, len(each.steps), each.steps[-1:], each.values[-1:]) for name, each in run.series.items()],
        )
        for run in view.runs
    ]
