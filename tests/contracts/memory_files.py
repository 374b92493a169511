"""A data remote in memory, which can be made to fail: `RemoteFiles` for tests."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from offbranch.base.errors import MissingDataError
from offbranch.base.paths import AbsPath
from offbranch.storage.remote_files import RemoteFile, Write
from offbranch.storage.remote_setting import RemoteSetting


class MemoryFiles:
    """Implements `RemoteFiles`.

    Attributes:
        content: Key -> bytes.
        calls: (name of the method, key) in order.
        on_call: Called first by each method; may raise.
    """

    jobs = 4
    can_write = True

    def __init__(self, *, can_list: bool = True) -> None:
        self.setting = RemoteSetting(name="memory", scheme="memory", url="memory://")
        self.can_list = can_list
        self.content: dict[str, bytes] = {}
        self.calls: list[tuple[str, str]] = []
        self.on_call: Callable[[str, str], object] = lambda name, key: None
        self.is_closed = False

    def find(self, key: str, *, version: str | None = None) -> RemoteFile | None:
        self._call("find", key)
        data = self.content.get(key)
        return None if data is None else _file(key, data)

    def iter_files(self, prefix: str) -> Iterator[RemoteFile]:
        assert self.can_list
        self._call("iter_files", prefix)
        for key, data in list(self.content.items()):
            if not prefix or key.startswith(f"{prefix}/"):
                yield _file(key, data)

    def read(self, key: str, *, version: str | None = None) -> bytes:
        self._call("read", key)
        if key not in self.content:
            raise MissingDataError(f"'{key}' is not in memory")
        return self.content[key]

    def download(self, key: str, write: Write, *, version: str | None = None) -> None:
        self._call("download", key)
        if key not in self.content:
            raise MissingDataError(f"'{key}' is not in memory")
        data = self.content[key]
        for start in range(0, len(data), 1 << 16):
            write(data[start : start + (1 << 16)])

    def upload(self, source: AbsPath, key: str, *, on_bytes: Callable[[int], object] | None = None) -> RemoteFile:
        self._call("upload", key)
        with open(source, "rb") as file:
            data = file.read()
        if on_bytes is not None:
            on_bytes(len(data))
        self.content[key] = data
        return _file(key, data)

    def write(self, key: str, data: bytes) -> RemoteFile:
        self._call("write", key)
        self.content[key] = data
        return _file(key, data)

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._call("remove", key)
            self.content.pop(key, None)

    def close(self) -> None:
        self.is_closed = True

    def _call(self, name: str, key: str) -> None:
        self.calls.append((name, key))
        self.on_call(name, key)


def _file(key: str, data: bytes) -> RemoteFile:
    return RemoteFile(key, len(data), hashlib.md5(data).hexdigest())
