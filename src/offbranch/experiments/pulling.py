"""Where `--pull` gets missing content from: the project's default data remote, as far as this version can reach it."""

import os
from collections.abc import Callable, Sequence

from offbranch.base.events import Reporter, Warned
from offbranch.base.paths import DVC_DIR, AbsPath, join
from offbranch.base.plugins import load
from offbranch.project import Project
from offbranch.storage.objects import ObjectId

Fetch = Callable[[Sequence[ObjectId]], frozenset[ObjectId]]


def fetch_of(project: Project, reporter: Reporter) -> Fetch | None:
    """Returns what fetches objects into the cache; None, with a warning, where there is no remote to fetch from."""
    name = (project.config.get("core", "remote") or "").lower()
    setting = project.config.settings.get((f'remote "{name}"', "url")) if name else None
    if setting is None:
        reporter.emit(
            Warned(
                text="--pull finds nothing: the project has no default data remote",
                hint="name one in .dvc/config: 'remote = NAME' in [core], and its url in ['remote \"NAME\"']",
            )
        )
        return None
    url = setting.value.removeprefix("file://")
    if "://" in url:
        reporter.emit(
            Warned(
                text=f"--pull finds nothing: the data remote '{name}' is not a directory, which is all this version reaches",
                hint="fetch with 'dvc fetch', then run again",
            )
        )
        return None
    base = os.path.dirname(setting.origin) if os.path.isabs(setting.origin) else join(project.root, DVC_DIR)
    remote = AbsPath(os.path.normpath(os.path.join(base, os.path.expanduser(url))))

    def fetch(ids: Sequence[ObjectId]) -> frozenset[ObjectId]:
        found: frozenset[ObjectId] = load("offbranch.storage.directory_remote:fetch_from_directory")(
            project.cache, remote, ids, reporter
        )
        return found

    return fetch
