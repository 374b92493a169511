"""Everything a pipeline needs around it to be carried out in one directory, as one record handed down.

The callables stand for what this package must not know: Git (`SourceControl`) and the project lock (`guard`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from offbranch.base.events import Reporter
from offbranch.base.files import FileReader
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.base.records import record
from offbranch.pipeline.facts import LookAtUrl
from offbranch.pipeline.going_on import NOT_GOING_ON, GoingOn
from offbranch.pipeline.runner import CommandRunner
from offbranch.pipeline.watch import UNWATCHED, CommandWatcher
from offbranch.storage.ignore import IgnoreRules
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId
from offbranch.storage.state import StateDb


class WriteIgnoreEntries(Protocol):
    """Writes ignore entries for paths, before those of `ahead_of`; returns the files it changed."""

    def __call__(self, paths: Sequence[RepoPath], ahead_of: Sequence[RepoPath] = (), /) -> tuple[RepoPath, ...]: ...


@record
class SourceControl:
    """What version control has to say about outputs.

    Attributes:
        tracked: Those of some paths that it tracks.
        unignored: Those of some paths that it would show as untracked if they were there.
        ignore: Writes ignore entries for paths; returns the files it changed.
    """

    tracked: Callable[[Sequence[RepoPath]], frozenset[RepoPath]]
    unignored: Callable[[Sequence[RepoPath]], frozenset[RepoPath]]
    ignore: WriteIgnoreEntries


NO_SOURCE_CONTROL = SourceControl(
    tracked=lambda _: frozenset(), unignored=lambda _: frozenset(), ignore=lambda _, __=(): ()
)


@record
class UrlAccess:
    """What is at urls that stages read or write.

    Attributes:
        look: Tells what is there: its content, or what the server says of it; None for nothing.
        remove: Removes what is there.
    """

    look: LookAtUrl
    remove: Callable[[str], None]


@record
class Workbench:
    """Where and with what a pipeline is carried out.

    Attributes:
        root: The directory that holds the project: the workspace, or a temporary copy.
        tmp_dir: Where locks that other tools look at are.
        env: Variables for every command, added to those of the process.
        guard: Context that keeps other tools from writing to the project; held around everything but commands.
        fetch: Brings objects from the data remote into the cache and returns those it got; None where there is none.
        urls: Reaches data at urls; None where it is not to be reached.
        watcher: Is told of the commands while they run.
        going_on: Which stages do not begin anew.
    """

    root: AbsPath
    tmp_dir: AbsPath
    reader: FileReader
    cache: LocalCache
    state: StateDb
    ignore: IgnoreRules
    runner: CommandRunner
    reporter: Reporter
    source_control: SourceControl
    env: Mapping[str, str]
    guard: Callable[[], AbstractContextManager[object]]
    fetch: Callable[[Sequence[ObjectId]], frozenset[ObjectId]] | None = None
    urls: UrlAccess | None = None
    watcher: CommandWatcher = UNWATCHED
    going_on: GoingOn = NOT_GOING_ON
