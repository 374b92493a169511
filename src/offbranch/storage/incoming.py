"""An object on its way into a cache, piece by piece: a temporary file that gets its name at the end, or goes away."""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from offbranch.base.errors import OffbranchError
from offbranch.base.files import remove_file
from offbranch.base.paths import AbsPath
from offbranch.storage.links import write_all
from offbranch.storage.objects import ObjectId


class Incoming:
    """Made by `LocalCache.incoming`.

    Attributes:
        path: The temporary file.
        descriptor: The same, open for reading and writing.
    """

    def __init__(
        self,
        path: AbsPath,
        descriptor: int,
        *,
        give_name: Callable[["Incoming", ObjectId, int | None], None],
        explain: Callable[[OSError], OffbranchError],
    ) -> None:
        self.path = path
        self.descriptor = descriptor
        self._give_name = give_name
        self._explain = explain

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)
        remove_file(self.path)

    def write(self, data: bytes) -> None:
        """Writes a piece; raises OffbranchError when the disk is full."""
        try:
            write_all(self.descriptor, data)
        except OSError as error:
            raise self._explain(error) from error

    def explain(self, error: OSError) -> OffbranchError:
        """Returns what is said of a piece that could not be written."""
        return self._explain(error)

    def publish(self, id: ObjectId, *, mtime_ns: int | None = None) -> None:
        """Gives the object its name, unless there is a sound one. The caller has hashed what was written."""
        self._give_name(self, id, mtime_ns)
