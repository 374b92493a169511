"""The run-cache at a data remote: its entries as plain files `runs/…`, exchanged both ways.

An entry that arrives is only taken if it is what its name says. Servers that cannot list (HTTP) have no run-cache.
"""

import os
from collections.abc import Callable, Iterator

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Progressed, Reporter, Warned
from offbranch.base.files import atomic_write
from offbranch.base.paths import AbsPath
from offbranch.pipeline.run_cache import entry_at, is_entry_name
from offbranch.storage.parallel import Stop, run_parallel
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.remote_setting import is_versioned
from offbranch.storage.retry import with_retries

_RUNS = "runs"


def push_run_cache(cache_root: AbsPath, files: RemoteFiles, *, jobs: int | None, reporter: Reporter) -> int:
    """Sends entries that the remote lacks; returns how many."""
    if not _has_run_cache(files, reporter):
        return 0
    there = {file.key for file in files.iter_files(_RUNS)}
    new = [key for key in sorted(local_keys(cache_root)) if key not in there]

    def send(key: str) -> None:
        path = AbsPath(os.path.join(cache_root, key))
        with_retries(lambda: files.upload(path, key))

    return _each(send, new, jobs or files.jobs, "pushing the run-cache", reporter)


def fetch_run_cache(cache_root: AbsPath, files: RemoteFiles, *, jobs: int | None, reporter: Reporter) -> int:
    """Gets entries that are not here; returns how many. One that is corrupt is left out, with a warning."""
    if not _has_run_cache(files, reporter):
        return 0
    here = set(local_keys(cache_root))
    new = [file.key for file in files.iter_files(_RUNS) if file.key not in here and is_entry_name(file.key)]

    def get(key: str) -> None:
        data = with_retries(lambda: files.read(key))
        entry_at(key, data)  # raises when it is not what its name says
        path = AbsPath(os.path.join(cache_root, key))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        atomic_write(path, data)

    return _each(get, sorted(new), jobs or files.jobs, "fetching the run-cache", reporter)


def _has_run_cache(files: RemoteFiles, reporter: Reporter) -> bool:
    if not files.can_list:
        reporter.emit(Warned(text=f"the {files.setting.label} cannot be listed, so it has no run-cache"))
    if is_versioned(files.setting):
        reporter.emit(Warned(text=f"the {files.setting.label} keeps files by their names, so it has no run-cache"))
        return False
    return files.can_list


def local_keys(cache_root: AbsPath) -> Iterator[str]:
    """Yields the keys of the entries in a cache: `runs/…`."""
    """Yields the keys of the entries in a cache: `runs/…`."""
    top = os.path.join(cache_root, _RUNS)
    for directory, _, names in os.walk(top):
        inside = os.path.relpath(directory, cache_root).replace(os.sep, "/")
        yield from (key for name in names if is_entry_name(key := f"{inside}/{name}"))


def _each(action: Callable[[str], None], keys: list[str], jobs: int, what: str, reporter: Reporter) -> int:
    n_done = 0
    for n_ended, (key, answer) in enumerate(run_parallel(action, keys, jobs=jobs, stop=Stop()), 1):
        if isinstance(answer, OffbranchError):
            reporter.emit(Warned(text=f"run-cache entry '{key}': {answer.message}", hint=answer.hint))
        else:
            n_done += 1
        reporter.emit(Progressed(what=what, done=n_ended, total=len(keys), unit="files"))
    return n_done
