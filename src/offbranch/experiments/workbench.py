"""Builds the workbench a pipeline is carried out on, for the workspace or a temporary copy of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from offbranch.base.events import Reporter
from offbranch.base.files import FileReader
from offbranch.base.locks import hold_lock, holder_as_pid
from offbranch.base.paths import AbsPath, GitPath, RepoPath, join
from offbranch.experiments.cache_users import using_cache
from offbranch.experiments.pulling import fetch_of
from offbranch.experiments.urls import url_access
from offbranch.git.ignore import ignored_paths, remove_ignore_entries, tracked_paths, write_ignore_entries
from offbranch.pipeline.runner import CommandRunner
from offbranch.pipeline.watch import UNWATCHED, CommandWatcher
from offbranch.pipeline.workbench import NO_SOURCE_CONTROL, SourceControl, Workbench
from offbranch.project import Project


def make_workbench(
    project: Project,
    *,
    runner: CommandRunner,
    reporter: Reporter,
    env: Mapping[str, str] | None = None,
    reader: FileReader | None = None,
    pull: bool = False,
    home: Project | None = None,
    watcher: CommandWatcher = UNWATCHED,
) -> Workbench:
    """Returns the workbench of a project.

    Args:
        project: Whose files, cache and state are used.
        runner: Runs the commands.
        reporter: Takes the events.
        env: More variables for the commands.
        reader: Instead of the files on disk, for looking ahead.
        pull: Missing content may be fetched from the data remote.
        home: Where the user's configuration is that says which remote that is, if `project` is a copy: a url may be relative.
        watcher: Is told of the commands while they run.
    """
    return Workbench(
        root=project.root,
        tmp_dir=project.tmp_dir,
        reader=reader or project.reader,
        cache=project.cache,
        state=project.state,
        ignore=project.ignore,
        runner=runner,
        reporter=reporter,
        source_control=source_control(project),
        env=env or {},
        guard=_guard(project, home or project),
        fetch=fetch_of(home or project, reporter) if pull else None,
        urls=url_access(project, reporter),
        watcher=watcher,
    )


def _guard(project: Project, home: Project) -> Callable[[], AbstractContextManager[object]]:
    """Returns what is held while a stage is prepared or recorded: DVC's lock, and that no data is removed meanwhile."""
    peer = peer_guard(project)

    @contextmanager
    def guard() -> Iterator[None]:
        with peer(), using_cache(home.root):
            yield

    return guard


def peer_guard(project: Project) -> Callable[[], AbstractContextManager[object]]:
    """Returns the context that holds DVC's own project lock (`.dvc/tmp/lock`), so that both tools can be used at once."""
    path = AbsPath(join(project.tmp_dir, "lock"))
    wait_s = project.environment.lock_wait_s

    def guard() -> AbstractContextManager[object]:
        return hold_lock(path, content=holder_as_pid, wait_s=wait_s)

    return guard


def source_control(project: Project) -> SourceControl:
    """Returns what Git has to say about outputs of a project; nothing where there is no Git.

    Each path is asked about once: a hundred stages must not start two hundred processes.
    """
    repo, prefix = project.repo, project.prefix
    if repo is None:
        return NO_SOURCE_CONTROL

    is_tracked: dict[RepoPath, bool] = {}
    is_ignored: dict[RepoPath, bool] = {}

    def tracked(paths: Sequence[RepoPath]) -> frozenset[RepoPath]:
        new = [path for path in paths if path not in is_tracked]
        if new:
            found = _inside(tracked_paths(repo, _in_git(prefix, new)), prefix)
            is_tracked.update((path, path in found) for path in new)
        return frozenset(path for path in paths if is_tracked[path])

    def unignored(paths: Sequence[RepoPath]) -> frozenset[RepoPath]:
        new = [path for path in paths if path not in is_ignored]
        if new:
            found = _inside(ignored_paths(repo, _in_git(prefix, new)), prefix)
            is_ignored.update((path, path in found) for path in new)
        return frozenset(path for path in paths if not is_ignored[path])

    def ignore(paths: Sequence[RepoPath], ahead_of: Sequence[RepoPath] = ()) -> tuple[RepoPath, ...]:
        is_ignored.update(dict.fromkeys(paths, True))
        written = write_ignore_entries(repo, _in_git(prefix, paths), ahead_of=_in_git(prefix, ahead_of))
        return tuple(_inside(written, prefix))

    return SourceControl(tracked=tracked, unignored=unignored, ignore=ignore)


def unignore(project: Project, paths: Sequence[RepoPath]) -> tuple[RepoPath, ...]:
    """Removes the ignore entries of outputs that are none any more; returns the files that changed."""
    if project.repo is None:
        return ()
    return tuple(_inside(remove_ignore_entries(project.repo, _in_git(project.prefix, paths)), project.prefix))


def in_git(project: Project, path: RepoPath) -> GitPath:
    """Returns a path of the project as one of its repository."""
    return _in_git(project.prefix, (path,))[0]


def _in_git(prefix: GitPath, paths: Sequence[RepoPath]) -> list[GitPath]:
    return [GitPath(f"{prefix}/{path}" if prefix and path else prefix or path) for path in paths]


def _inside(paths: Sequence[GitPath] | frozenset[GitPath], prefix: GitPath) -> frozenset[RepoPath]:
    cut = len(prefix) + 1 if prefix else 0
    return frozenset(RepoPath(path[cut:]) for path in paths)
