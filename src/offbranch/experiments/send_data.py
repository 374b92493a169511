"""Data straight to a data remote, past the cache and the workspace: for what is too large to be kept here."""

import os
from collections.abc import Callable

from offbranch.base.errors import NotFoundError, OffbranchError
from offbranch.base.events import Progressed, Reporter
from offbranch.base.files import remove_file
from offbranch.base.paths import OB_DIR, AbsPath, RepoPath, join
from offbranch.project import Project
from offbranch.storage.connections import Connections
from offbranch.storage.links import temporary_name
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.objects import Content
from offbranch.storage.parallel import Stop, run_parallel
from offbranch.storage.remote_files import RemoteFiles
from offbranch.storage.remote_setting import LOCAL, RemoteSetting
from offbranch.storage.remote_store import RemoteStore, Store
from offbranch.storage.retry import with_retries
from offbranch.storage.scan import scan_directory

_Add = Callable[[str], tuple[Content, str]]


def send_to_remote(
    project: Project, source: RemoteSetting, target: RemoteSetting, *, jobs: int | None, reporter: Reporter
) -> Content:
    """Stores a file or directory at a data remote and returns what it is; nothing of it is kept on this machine.

    Args:
        project: Its `.dvc/tmp` holds files of a url while they are hashed.
        source: A place of this machine or a url.
        target: The data remote.
        jobs: Transfers at a time.
        reporter: Takes the progress.

    Raises:
        NotFoundError: There is nothing at the source.
        RemoteError: A remote failed.
    """
    with Connections() as connections:
        store = connections.store(target, jobs=jobs)
        if source.scheme == LOCAL:
            return _send_local(AbsPath(source.url), store, jobs, reporter)
        return _send_url(project, connections.files(source), store, jobs, reporter)


def _send_local(path: AbsPath, store: Store, jobs: int | None, reporter: Reporter) -> Content:
    if not os.path.exists(path):
        raise NotFoundError(f"'{path}' does not exist")
    if not os.path.isdir(path):
        return store.add_file(path)
    scan = scan_directory(path, ignore=None, rel=RepoPath(""))

    def add(name: str) -> tuple[Content, str]:
        return store.add_file(AbsPath(os.path.join(path, name))), name

    return _send_all(add, scan.paths, store, jobs, reporter)


def _send_url(project: Project, files: RemoteFiles, store: Store, jobs: int | None, reporter: Reporter) -> Content:
    os.makedirs(join(project.root, OB_DIR), exist_ok=True)

    def add(key: str) -> tuple[Content, str]:
        temporary = AbsPath(join(project.root, f"{OB_DIR}/{temporary_name()}"))
        try:

            def get() -> None:
                with open(temporary, "wb") as file:
                    files.download(key, file.write)

            with_retries(get)
            return store.add_file(temporary), key
        finally:
            remove_file(temporary)

    if files.find("") is not None:
        return add("")[0]
    keys = [file.key for file in files.iter_files("")] if files.can_list else []
    if not keys:
        raise NotFoundError(f"there is nothing at {files.setting.label}")
    make_listing((key, "") for key in keys)  # refuses names that lead elsewhere, before anything is moved
    return _send_all(add, keys, store, jobs, reporter)


def _send_all(add: _Add, names: list[str], store: Store, jobs: int | None, reporter: Reporter) -> Content:
    # The cache of a directory is used from one thread; a server from several.
    n_threads = (jobs or store.jobs) if isinstance(store, RemoteStore) else 1
    pairs: list[tuple[str, str]] = []
    size = 0
    for n_done, (_, answer) in enumerate(run_parallel(add, names, jobs=n_threads, stop=Stop()), 1):
        if isinstance(answer, OffbranchError):
            raise answer
        content, name = answer
        pairs.append((name, content.id))
        size += content.size
        reporter.emit(Progressed(what="sending to the remote", done=n_done, total=len(names), unit="files"))
    data = listing_bytes(make_listing(pairs))
    store.add_bytes(data, listing_id(data))
    return Content(id=listing_id(data), size=size, n_files=len(pairs))
