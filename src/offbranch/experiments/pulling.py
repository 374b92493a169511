"""Where `--pull` gets missing content from: the project's default data remote, then the others, which outputs may name."""

from collections.abc import Callable, Iterable, Sequence

from offbranch.base.errors import MissingDataError, OffbranchError
from offbranch.base.events import Reporter, Warned
from offbranch.base.plugins import load
from offbranch.project import Project
from offbranch.storage.objects import ObjectId
from offbranch.storage.remote_setting import default_remote, remote_names, resolve_remote

Fetch = Callable[[Sequence[ObjectId]], frozenset[ObjectId]]


def fetch_of(project: Project, reporter: Reporter) -> Fetch | None:
    """Returns what fetches objects into the cache; None, with a warning, where there is no remote to fetch from.

    What the remote has of the run-cache is fetched now: a stage that ran elsewhere need not run here.
    """
    names = remote_names(project.config)
    default = default_remote(project.config)
    if default is None and not names:
        reporter.emit(
            Warned(
                text="--pull finds nothing: the project has no data remote",
                hint="name one: ob remote add -d NAME URL",
            )
        )
        return None
    if default is not None:
        setting = resolve_remote(project.config, None, root=project.root)
        fetch_runs = load("offbranch.experiments.move_data:fetch_runs")
        _tell(reporter, _attempt(lambda: fetch_runs(project, setting, reporter)))
    order = dict.fromkeys((*(() if default is None else (default,)), *names))

    def fetch(ids: Sequence[ObjectId]) -> frozenset[ObjectId]:
        for name in order:
            missing = [id for id in ids if not project.cache.has_all(id)]
            if missing:
                _fetch(project, name, missing, reporter)
        return frozenset(id for id in ids if project.cache.has_all(id))

    return fetch


def _fetch(project: Project, name: str, ids: Sequence[ObjectId], reporter: Reporter) -> None:
    fetch_ids = load("offbranch.experiments.move_data:fetch_ids")

    def attempt() -> tuple[OffbranchError, ...] | None:
        setting = resolve_remote(project.config, name, root=project.root)
        done: tuple[OffbranchError, ...] | None = fetch_ids(project, setting, ids, reporter)
        return done

    _tell(reporter, _attempt(attempt))


def _attempt(action: Callable[[], tuple[OffbranchError, ...] | None]) -> tuple[OffbranchError, ...]:
    try:
        return action() or ()
    except OffbranchError as error:  # without its data a stage may still run
        return (error,)


def _tell(reporter: Reporter, errors: Iterable[OffbranchError]) -> None:
    for error in errors:
        if not isinstance(error, MissingDataError):
            reporter.emit(Warned(text=error.message, hint=error.hint))
