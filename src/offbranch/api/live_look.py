"""The curves of runs, while they run and afterwards: what `ob live` draws. Nothing here changes the project or takes a lock."""

import time
from collections.abc import Callable, Iterator, Sequence

from offbranch.api.live_runs import Look, Sight, is_meant
from offbranch.api.queue_news import News
from offbranch.api.session import Session, opened
from offbranch.base.errors import NotFoundError, did_you_mean
from offbranch.base.events import Warned
from offbranch.base.records import record, replace
from offbranch.experiments.refs import find_checkpoint, list_experiments
from offbranch.project import Project
from offbranch.queue.status import RUNNING
from offbranch.views.live_series import LiveRun

_MOST_OFFERED = 8


@record
class LiveView:
    """Curves at one moment.

    Attributes:
        runs: Those that were asked for: running ones and the workspace, then ended ones.
        is_over: Nothing of it runs or waits, so nothing will change by itself.
        waiting: Names of the tasks in the queue that wait, or that run where nothing is seen of them; where something of it
            runs here they are not looked for.
        has_workers: Whether workers are there to take them.
    """

    runs: tuple[LiveRun, ...]
    is_over: bool
    waiting: tuple[str, ...] = ()
    has_workers: bool = True


def live_view(words: Sequence[str], session: Session) -> LiveView:
    """Returns the curves of what runs now, of the workspace, and of experiments that are named.

    Args:
        words: Names of experiments (running or not), checkpoints, Git revisions or `workspace`; all others are metrics, or the
            beginning or end of their names at a `/`. Without names it is everything that runs, or else the workspace.
        session: Where.

    Raises:
        NotFoundError: A word is neither.
        NoProjectError: There is no project.
    """
    with opened(session) as project:
        sight = Look(project, words).read()
        if sight.unknown:
            raise _unknown(project, sight)
    return _view(sight, words)


def follow_live(
    words: Sequence[str], session: Session, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[LiveView]:
    """Yields the same, and again whenever something was logged; ends when nothing of it runs or waits any more.

    A word that stands for nothing yet may become a metric as long as something runs; that it does not is said.

    Raises:
        NotFoundError: A word stands for nothing and nothing runs, or nothing was ever logged.
        NoProjectError: There is no project.
    """
    with opened(session) as project:
        look, last = Look(project, words), None
        news = None if project.repo is None else News(session)
        while True:
            if news is not None:
                news.bring()
            began_ns = time.time_ns()
            sight = look.read()
            view = _view(sight, words)
            if last is None:
                _check_first(project, sight, view, session)
            stamp = _stamp(view)
            if stamp != last:
                last = stamp
                yield view
            if view.is_over:
                return
            look.wait(began_ns, sleep, until=None if news is None else news.next_s)


def nothing_logged() -> NotFoundError:
    """Returns the error for a place where there is nothing to draw, and nothing to wait for."""
    return NotFoundError(
        "nothing has logged a metric here",
        hint="a program does so with 'from offbranch import Live'; or name an experiment: ob live NAME",
    )


def _check_first(project: Project, sight: Sight, view: LiveView, session: Session) -> None:
    if not view.is_over:
        for word in sight.unknown if any(run.series for run in sight.runs) else ():
            text = f"'{word}' is neither an experiment nor a metric of what is shown so far"
            session.reporter.emit(Warned(text=text, hint=_near(word, sight, project)))
    elif sight.unknown:
        raise _unknown(project, sight)
    elif not any(run.series for run in view.runs):
        raise nothing_logged()


def _unknown(project: Project, sight: Sight) -> NotFoundError:
    word = sight.unknown[0]
    if project.repo is not None:
        find_checkpoint(project.repo, word)  # says how many checkpoints there are, where it names one too many
    return NotFoundError(
        f"'{word}' is neither an experiment nor a metric of what is shown",
        hint=_near(word, sight, project) or "nothing is logged yet; 'ob exp list' lists the experiments",
    )


def _near(word: str, sight: Sight, project: Project) -> str | None:
    metrics = sorted({name for run in sight.runs for name in run.series})
    made = () if project.repo is None else (each.name for each in list_experiments(project.repo))
    near = did_you_mean(word, [*metrics, *(run.name for run in sight.runs), *made])
    more = ", …" if len(metrics) > _MOST_OFFERED else ""
    return near or (f"metrics are {', '.join(metrics[:_MOST_OFFERED])}{more}" if metrics else None)


def _view(sight: Sight, words: Sequence[str]) -> LiveView:
    is_over = not sight.waiting and not any(run.state == RUNNING for run in sight.runs)
    view = LiveView(runs=sight.runs, is_over=is_over, waiting=sight.waiting, has_workers=sight.has_workers)
    return _shown(view, words)


def _shown(view: LiveView, words: Sequence[str]) -> LiveView:
    """Returns the view with those metrics only that are asked for, if any is."""
    names = {name for run in view.runs for name in run.series}
    runs_named = {run.name for run in view.runs}
    wanted = [word for word in words if word not in runs_named]
    if not wanted:
        return view
    kept = {name for name in names if any(is_meant(word, name) for word in wanted)}
    runs = (replace(run, series={name: each for name, each in run.series.items() if name in kept}) for run in view.runs)
    return replace(view, runs=tuple(runs))


def _stamp(view: LiveView) -> object:
    """Returns what tells one moment from another: curves only grow, or begin anew."""
    runs = [
        (
            run.name,
            run.state,
            run.checkpoints,
            [
                (name, len(each.steps), each.steps[-1:], each.values[-1:], each.newest)
                for name, each in run.series.items()
            ],
        )
        for run in view.runs
    ]
    return runs, view.waiting, view.has_workers
