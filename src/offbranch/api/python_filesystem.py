"""The files of a project as a file system of fsspec: `DVCFileSystem`, with the arguments and names of `dvc.api`.

Needs fsspec, an optional dependency (docs/decisions/0036). Read-only.
"""

import errno
import os
import posixpath
import weakref
from typing import IO, Any

from fsspec.spec import AbstractFileSystem

from offbranch.api.python_data import FileRequest, Settings
from offbranch.api.python_place import where_is
from offbranch.api.python_tree import ProjectTree
from offbranch.base.errors import UsageError
from offbranch.base.paths import DATA_SUFFIX, IGNORE_FILE, PIPELINE_FILE, RepoPath
from offbranch.experiments.inventory import InventoryEntry


class DVCFileSystem(AbstractFileSystem):
    """The files of Git and the data of a project, of its workspace or of any revision, here or elsewhere.

    Paths are below the top of the project, with or without a leading `/`, wherever the program runs. Data need not be on disk:
    it is listed from what is recorded, and read from the cache or the data remote. What fsspec offers for reading is there:
    `ls`, `info`, `find`, `walk`, `glob`, `exists`, `open`, `cat`, `read_text`, `get`, …; pandas and others take it by the
    url `dvc://path` where the drop-in distribution is installed.
    """

    protocol = "dvc"
    root_marker = "/"
    cachable = False  # a workspace changes

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        rev: str | None = None,
        subrepos: bool = False,
        *,
        repo: str | os.PathLike[str] | None = None,
        remote: str | None = None,
        config: Settings | None = None,
        remote_config: Settings | None = None,
        **kwargs: Any,
    ) -> None:
        """Opens a project.

        Args:
            url: Directory or Git url of the project; by default the one around the current directory. Also as `repo`.
            rev: Git revision or experiment; by default the workspace, or the default branch of what is elsewhere.
            subrepos: Has to be False: projects inside of the project are not entered.
            repo: See `url`.
            remote: Name of the data remote for what is not in the cache.
            config: Settings laid over the project's own, as nested maps.
            remote_config: Options laid over those of the data remote.
            **kwargs: For fsspec.

        Raises:
            NoProjectError: There is no project.
            NotFoundError: There is no such repository or revision.
        """
        super().__init__(**kwargs)
        if subrepos:
            raise UsageError("projects inside of a project are not entered", hint="open each by its own path")
        self.repo_url = None if (place := url or repo) is None else os.fspath(place)
        request = FileRequest(
            path="",
            where=where_is(self.repo_url),
            is_here=False,
            rev=rev,
            remote=remote,
            config=config,
            remote_config=remote_config,
        )
        self._tree = ProjectTree(request)
        weakref.finalize(self, self._tree.close)

    def ls(self, path: str, detail: bool = True, dvc_only: bool = False, dvcfiles: bool = False, **_: Any) -> list[Any]:
        """Returns the entries of a directory, or the file itself. `find`, `walk` and `glob` take the same options.

        Args:
            path: Of the directory.
            detail: A dict of each, as of `info`, instead of its path.
            dvc_only: Data alone, and directories that hold some.
            dvcfiles: Files that tell of data and stages, too: `dvc.yaml`, `*.dvc`, `.dvcignore`.

        Raises:
            FileNotFoundError: There is nothing.
        """
        path = self._without_protocol(path)
        entry = self._need(path, data_only=dvc_only)
        if not entry.is_dir:
            found = [_described(path, entry)]
        else:
            above = path.rstrip("/")
            found = [
                _described(f"{above}/{one.path.rpartition('/')[2]}" if path else one.path, one)
                for one in self._tree.children(entry.path, data_only=dvc_only)
                if dvcfiles or not _tells_of_data(one)
            ]
        return found if detail else [one["name"] for one in found]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Returns `name`, `type` (`file` or `directory`), `size` and `isexec`; of data `md5` and `dvc_info`, too.

        Raises:
            FileNotFoundError: There is nothing.
        """
        path = self._without_protocol(path)
        return _described(path, self._need(path))

    def isdvc(self, path: str, **_: Any) -> bool:
        """Tells whether a path is data."""
        try:
            return bool(self.info(path).get("dvc_info"))
        except FileNotFoundError:
            return False

    def _open(self, path: str, mode: str = "rb", **_: Any) -> IO[bytes]:
        if mode not in ("rb", "r"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        try:
            return self._tree.open(_inside(self._without_protocol(path)))
        except FileNotFoundError as error:
            raise _not_found(path) from error
        except IsADirectoryError as error:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path) from error

    def _need(self, path: str, *, data_only: bool = False) -> InventoryEntry:
        entry = self._tree.find(_inside(path), data_only=data_only)
        if entry is None:
            raise _not_found(path)
        return entry

    def _without_protocol(self, path: str) -> str:
        return os.fspath(path).removeprefix(f"{self.protocol}://")


def _inside(path: str) -> RepoPath:
    found = posixpath.normpath(f"/{path}").lstrip("/")
    return RepoPath(found)


def _tells_of_data(entry: InventoryEntry) -> bool:
    if entry.is_dir or entry.is_out:
        return False
    name = entry.path.rpartition("/")[2]
    return name in (PIPELINE_FILE, IGNORE_FILE) or name.endswith(DATA_SUFFIX)


def _described(name: str, entry: InventoryEntry) -> dict[str, Any]:
    kind = "directory" if entry.is_dir else "file"
    # fsspec adds up sizes: what is not known counts as nothing for a directory.
    size = entry.size if not entry.is_dir else entry.size or 0
    found: dict[str, Any] = {"name": name, "type": kind, "size": size, "isexec": entry.is_exec}
    if entry.is_out:
        hash = {} if entry.id is None else {"md5": entry.id}
        found |= hash
        found["dvc_info"] = {**found, "name": entry.path, "isdvc": True, "isout": True}
    return found


def _not_found(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
