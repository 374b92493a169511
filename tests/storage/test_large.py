"""Large files, several at a time."""

import hashlib
import threading
from pathlib import Path

import pytest

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.storage.large import map_large
from offbranch.storage.local import LocalCache
from offbranch.storage.save import save
from offbranch.storage.workspace import observe


def test_answers_come_in_the_order_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    together = threading.Barrier(3, timeout=30)

    def action(path: str) -> str:
        together.wait()  # passes only if three run at the same time
        return path.upper()

    assert map_large(action, ["a", "b", "c"]) == ["A", "B", "C"]
    assert map_large(str.upper, []) == []


@pytest.mark.parametrize("processors", [1, 4])
def test_the_first_failure_in_order_is_raised(processors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)

    def action(path: str) -> str:
        if path in "bd":
            raise OffbranchError(f"no {path}")
        return path

    with pytest.raises(OffbranchError, match="no b"):
        map_large(action, ["a", "b", "c", "d"])


def test_a_directory_of_large_and_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    data = tmp_path / "data"
    data.mkdir()
    expected = {}
    for n in range(6):
        content = bytes([n]) * (2_000_000 if n % 2 else 100)
        (data / str(n)).write_bytes(content)
        expected[str(n)] = hashlib.md5(content).hexdigest()
    (data / "again").write_bytes(bytes([1]) * 2_000_000)
    expected["again"] = expected["1"]
    cache = LocalCache(AbsPath(str(tmp_path / "cache")))
    place = AbsPath(str(data))
    seen = observe(place, state=None, ignore=None, rel=RepoPath(""))
    saved = save(place, cache=cache, state=None, ignore=None, rel=RepoPath(""))
    assert seen == saved
    assert dict(cache.listing(saved.id).entries) == expected
    assert all(cache.verify(id) for id in cache.listing(saved.id).entries.values())
    assert sorted(cache.iter_objects()) == sorted({*expected.values(), saved.id})
