"""In-memory doubles of our seams."""

from collections.abc import Mapping

from offbranch.base.paths import RepoPath


class MemoryReader:
    """Files in a dictionary as `FileReader`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    def read_bytes(self, path: RepoPath) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def is_file(self, path: RepoPath) -> bool:
        return path in self.files

    def is_dir(self, path: RepoPath) -> bool:
        return path == "" or any(name.startswith(f"{path}/") for name in self.files)

    def list_dir(self, path: RepoPath) -> tuple[tuple[str, bool], ...]:
        prefix = f"{path}/" if path else ""
        rests = [name.removeprefix(prefix) for name in self.files if name.startswith(prefix)]
        return tuple(sorted({(rest.partition("/")[0], "/" in rest) for rest in rests}))
