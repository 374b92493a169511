"""The data remotes that one action talks to: each is opened, and its password asked for, once."""

from types import TracebackType
from typing import Self

from offbranch.base.errors import UsageError
from offbranch.base.paths import AbsPath
from offbranch.storage.local import LocalCache
from offbranch.storage.remote_files import RemoteFiles, open_files
from offbranch.storage.remote_setting import LOCAL, RemoteSetting, is_versioned
from offbranch.storage.remote_store import RemoteStore, Store


class Connections:
    """Opens remotes when they are first needed, and closes them all at its end."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], RemoteFiles] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for files in self._opened.values():
            files.close()
        self._opened.clear()

    def files(self, setting: RemoteSetting) -> RemoteFiles:
        """Returns the files of a remote; they stay open until this is closed.

        Raises:
            OffbranchError: Its scheme is unknown, an option makes no sense, or the library for it is not installed.
        """
        key = (setting.name, setting.url)
        if key not in self._opened:
            self._opened[key] = open_files(setting)
        return self._opened[key]

    def store(self, setting: RemoteSetting, *, jobs: int | None = None, legacy: bool = False) -> Store:
        """Returns the objects of a remote: a directory of this machine as a cache, all others as a `RemoteStore`.

        Args:
            setting: Of the remote.
            jobs: Transfers at a time; None for what the remote is configured to take, or likes.
            legacy: The objects of DVC 2.

        Raises:
            OffbranchError: As `files`.
            UsageError: It keeps versions of files by their names, so there are no objects.
        """
        if is_versioned(setting):
            raise UsageError(
                f"the {setting.label} keeps files by their names, with versions, and only push, fetch and pull of outputs"
                " and 'status -c' can use it",
                hint="name another data remote for this",
            )
        if setting.scheme == LOCAL:
            is_shared = setting.options.get("shared") == "group"
            return LocalCache(AbsPath(setting.url), shared_group=is_shared, legacy=legacy, label=setting.label)
        return RemoteStore(self.files(setting), jobs=jobs_of(setting, jobs), legacy=legacy)


def jobs_of(setting: RemoteSetting, jobs: int | None) -> int | None:
    """Returns how many transfers at a time are wanted: as asked for, else as configured, else None.

    Raises:
        BadInputError: The option is no number.
    """
    configured = setting.get_number("jobs")
    return jobs or (int(configured) if configured is not None else None)
