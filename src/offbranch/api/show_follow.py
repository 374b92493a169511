"""`exp show` as it changes: read again when a file says that something has happened; costs next to nothing otherwise."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from offbranch.api.session import Session, need_git, opened
from offbranch.api.show import PARTS, exp_show
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.git.repository import GitRepo
from offbranch.project import Project
from offbranch.views.options import ShowOptions
from offbranch.views.table import State, Table, make_table

_FILES: Final = "offbranch.queue.run_files"
_PULSE: Final = "offbranch.queue.pulse"
_NO_TASKS: Final = "offbranch.queue.status:QueueStatus"
# Between two readings at least: who logs all the time shall not keep a processor busy here.
PAUSE_S = 0.3


@record
class Followed:
    """What `exp show` says at one moment.

    Attributes:
        states: As `exp_show` returns them.
        options: What was asked for.
    """

    states: tuple[State, ...]
    options: ShowOptions

    @property
    def table(self) -> Table:
        """The same as a table, its columns selected and its rows sorted."""
        options = self.options
        made = make_table(self.states, sha=options.sha, checkpoints=options.checkpoints, counts=options.counts)
        table: Table = load(PARTS["select"])(made, options)
        return table


def follow_experiments(
    options: ShowOptions, session: Session, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Followed]:
    """Yields what `exp show` says, and again whenever that is something else; does not end by itself.

    Args:
        options: As of `exp_show`.
        session: Where.
        sleep: Waits.

    Raises:
        NotFoundError: A revision, or a name in a condition, does not exist.
        NoProjectError: There is no project, or no Git repository around it.
    """
    with opened(session) as project:
        repo = need_git(project)
    last: tuple[State, ...] | None = None
    while True:
        began_ns = time.time_ns()
        # What was opened before would not know of a .dvcignore that is written meanwhile.
        with opened(session) as project:
            began_s = time.monotonic()
            states = exp_show(options, start=session.start, environment=session.environment, reporter=session.reporter)
            if states != last:
                last = states
                yield Followed(states=states, options=options)
                options = replace(options, force=False)
            pause_s = max(
                PAUSE_S, time.monotonic() - began_s
            )  # half of a processor at most, however large the table is
            wait_for_files(project, repo, began_ns, sleep=sleep, pause_s=pause_s)


def wait_for_files(
    project: Project, repo: GitRepo, began_ns: int, *, sleep: Callable[[float], None], pause_s: float = PAUSE_S
) -> None:
    """Returns when anything may look different than it did when its reading began, after a pause."""
    places = (load(f"{_FILES}:workspace_place")(project), *load(f"{_FILES}:running_places")(project))
    files = [
        *load(f"{_FILES}:files_of_experiments")(project, repo),
        *(path for place in places for path in load(f"{_FILES}:files_of_place")(place)),
    ]
    runs = [place.attempt for place in places if place.attempt is not None]
    status = load(_NO_TASKS)()
    seen = load(f"{_PULSE}:remember")(repo, project.root, status, files, began_ns=began_ns, runs=runs)
    sleep(pause_s)
    if not load(f"{_PULSE}:has_changed")(repo, project.root, seen):
        load(f"{_PULSE}:wait_for_change")(repo, project.root, seen, sleep=sleep)
