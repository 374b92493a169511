"""Where `--pull` gets missing content from: the project's default data remote."""

from collections.abc import Callable, Iterable, Sequence

from offbranch.base.errors import Interrupted, MissingDataError, OffbranchError
from offbranch.base.events import Reporter, Warned
from offbranch.base.plugins import load
from offbranch.project import Project
from offbranch.storage.objects import ObjectId
from offbranch.storage.remote_setting import RemoteSetting, default_remote, resolve_remote

Fetch = Callable[[Sequence[ObjectId]], frozenset[ObjectId]]


def fetch_of(project: Project, reporter: Reporter) -> Fetch | None:
    """Returns what fetches objects into the cache; None, with a warning, where there is no remote to fetch from.

    What the remote has of the run-cache is fetched now: a stage that ran elsewhere need not run here.
    """
    if default_remote(project.config) is None:
        reporter.emit(
            Warned(
                text="--pull finds nothing: the project has no default data remote",
                hint="name one: ob remote add -d NAME URL",
            )
        )
        return None
    setting = resolve_remote(project.config, None, root=project.root)
    _tell(reporter, _attempt(lambda: load("offbranch.experiments.move_data:fetch_runs")(project, setting, reporter)))

    def fetch(ids: Sequence[ObjectId]) -> frozenset[ObjectId]:
        return _fetch(project, setting, ids, reporter)

    return fetch


def _fetch(
    project: Project, setting: RemoteSetting, ids: Sequence[ObjectId], reporter: Reporter
) -> frozenset[ObjectId]:
    fetch_ids = load("offbranch.experiments.move_data:fetch_ids")
    _tell(reporter, _attempt(lambda: fetch_ids(project, setting, ids, reporter)))
    return frozenset(id for id in ids if project.cache.has_all(id))


def _attempt(action: Callable[[], tuple[OffbranchError, ...] | None]) -> tuple[OffbranchError, ...]:
    try:
        return action() or ()
    except Interrupted:
        raise
    except OffbranchError as error:  # without its data a stage may still run
        return (error,)


def _tell(reporter: Reporter, errors: Iterable[OffbranchError]) -> None:
    for error in errors:
        if not isinstance(error, MissingDataError):
            reporter.emit(Warned(text=error.message, hint=error.hint))
