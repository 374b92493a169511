"""Killed between any two system calls that change something: the invariants hold, and the same command finishes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from offbranch.base.errors import OffbranchError
from offbranch.storage.hashing import SMALL_SIZE
from offbranch.storage.links import LinkKind
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from offbranch.storage.objects import ObjectId
from storage.bench import Bench

COPY, HARD, SYM = LinkKind.COPY, LinkKind.HARDLINK, LinkKind.SYMLINK
CALLS = (
    "open", "write", "close", "replace", "rename", "link", "symlink", "mkdir", "unlink", "rmdir", "chmod", "fchmod", "utime",
    "copy_file_range",
)  # fmt: skip
OLD = {"1": b"1", "same": b"=", "s/2": b"2" * 100, "gone/3": b"3", "large": b"L" * (SMALL_SIZE + 5)}
NEW = {"1": b"one", "same": b"=", "s/2": b"2" * 100, "new/4": b"4", "large": b"M" * (SMALL_SIZE + 5), "empty": b""}


class Killed(BaseException):
    """Stands for SIGKILL: from here on the process can change nothing, so no clean-up code does anything either."""


class Killer:
    """Lets the first calls through, and none after that."""

    def __init__(self, n_allowed: int) -> None:
        self.n_left = n_allowed

    def wrap(self, name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            if name == "close":  # a dead process closes its files
                return real(*args, **kwargs)
            if self.n_left <= 0:
                raise Killed(name)
            self.n_left -= 1
            return real(*args, **kwargs)

        return call

    @property
    def has_struck(self) -> bool:
        return self.n_left <= 0


@contextmanager
def killed_after(n_calls: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Killer]:
    killer = Killer(n_calls)
    with monkeypatch.context() as patch:
        for name in CALLS:
            if hasattr(os, name):
                patch.setattr(os, name, killer.wrap(name))
        try:
            yield killer
        except Killed:
            killer.n_left = 0


def moments(run: Callable[[int], bool], step: int = 1) -> int:
    """Runs with every number of allowed calls until the work gets done; returns how many moments were tried."""
    for n in range(0, 2000, step):
        if run(n):
            return n
    raise AssertionError("it never ends")


def check_cache(bench: Bench) -> None:
    cache = bench.cache()
    for id in list(cache.iter_objects()):
        assert cache.verify(id), f"{id} has wrong content"
    for id in list(cache.iter_objects()):
        if id.endswith(".dir"):
            assert cache.has_all(id), f"{id} is there without all its files"


def stored(bench: Bench, files: dict[str, bytes]) -> ObjectId:
    cache = bench.cache()
    data = listing_bytes(make_listing([(name, cache.add_bytes(content)) for name, content in files.items()]))
    return cache.add_bytes(data, listing_id(data))


@pytest.mark.parametrize("kind", [COPY, HARD, SYM])
def test_adding_a_directory(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, kind: LinkKind
) -> None:
    def run(n_calls: int) -> bool:
        bench = Bench(tmp_path_factory.mktemp("w"))
        (bench.root / ".dvc").mkdir()
        bench.write({f"d/{name}": data for name, data in OLD.items()})
        with killed_after(n_calls, monkeypatch) as killer:
            bench.save("d", kind, COPY)
        check_cache(bench)
        present = {name: data for name, data in bench.files("d").items() if ".ob-tmp-" not in name}
        assert present == OLD
        content = bench.save("d", kind, COPY)
        assert content.n_files == len(OLD)
        check_cache(bench)
        found = bench.observe("d")
        assert found is not None
        assert found.id == content.id == stored(bench, OLD)
        assert bench.cache().has_all(content.id)
        return not killer.has_struck

    assert moments(run) > 10


@pytest.mark.parametrize("kind", [COPY, HARD, SYM])
def test_checking_out_a_directory(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, kind: LinkKind
) -> None:
    def run(n_calls: int) -> bool:
        bench = Bench(tmp_path_factory.mktemp("w"))
        (bench.root / ".dvc").mkdir()
        old, new = stored(bench, OLD), stored(bench, NEW)
        bench.checkout("d", old, kind, COPY)
        with killed_after(n_calls, monkeypatch) as killer:
            bench.checkout("d", new, kind, COPY)
        check_cache(bench)
        for name, data in bench.files("d").items():
            assert ".ob-tmp-" in name or data in (OLD.get(name), NEW.get(name)), f"{name} is neither old nor new"
        bench.checkout("d", new, kind, COPY)
        assert bench.files("d") == NEW
        assert bench.temporaries() == []
        assert bench.plan("d", new).is_noop
        check_cache(bench)
        return not killer.has_struck

    assert moments(run) > 10


@pytest.mark.parametrize("size", [3, SMALL_SIZE + 3])
def test_a_single_file(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    def run(n_calls: int) -> bool:
        bench = Bench(tmp_path_factory.mktemp("w"))
        (bench.root / ".dvc").mkdir()
        bench.write({"f": b"a" * size})
        with killed_after(n_calls, monkeypatch) as killer:
            content = bench.save("f", HARD, COPY)
            bench.checkout("g", content.id, COPY)
        check_cache(bench)
        assert (bench.root / "f").read_bytes() == b"a" * size
        if (bench.root / "g").exists():
            assert (bench.root / "g").read_bytes() == b"a" * size
        content = bench.save("f", HARD, COPY)
        bench.checkout("g", content.id, COPY)
        assert (bench.root / "g").read_bytes() == b"a" * size
        check_cache(bench)
        return not killer.has_struck

    assert moments(run) > 5


@pytest.mark.parametrize("code", [28, 5])
def test_a_disk_that_fails_at_any_write(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Unlike a kill, an error lets the clean-up run: nothing unfinished may stay."""

    def run(n_calls: int) -> bool:
        bench = Bench(tmp_path_factory.mktemp("w"))
        (bench.root / ".dvc").mkdir()
        bench.write({f"d/{name}": data for name, data in OLD.items()})
        failed = False
        with monkeypatch.context() as patch:
            left = [n_calls]
            for name in ("write", "replace", "link", "copy_file_range"):
                if hasattr(os, name):
                    patch.setattr(os, name, failing(getattr(os, name), left, code))
            try:
                bench.save("d", HARD, COPY)
            except OffbranchError:
                failed = True
        assert bench.files("d") == OLD
        assert bench.temporaries() == []
        check_cache(bench)
        return not failed

    assert moments(run) > 5


def failing(real: Callable[..., object], left: list[int], code: int) -> Callable[..., object]:
    def call(*args: object) -> object:
        if left[0] == 0:
            raise OSError(code, os.strerror(code))
        left[0] -= 1
        return real(*args)

    return call


SCRIPT = """
import sys
from pathlib import Path
from storage.bench import Bench
from offbranch.storage.links import LinkKind
bench = Bench(Path(sys.argv[1]))
print("started", flush=True)
bench.save("d", LinkKind.HARDLINK, LinkKind.COPY)
"""


@pytest.mark.fault
@pytest.mark.parametrize("n_objects", [1, 40, 150, 299])
def test_a_process_that_is_really_killed(bench: Bench, n_objects: int) -> None:
    files = {f"d/{n}": str(n).encode() for n in range(300)}
    bench.write(files)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(bench.root)], stdout=subprocess.PIPE, env=environment)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        objects: list[Path] = []
        while process.poll() is None and len(objects) < n_objects:
            objects = list(bench.cache_root.glob("files/md5/*/*"))
        process.send_signal(signal.SIGKILL)
    check_cache(bench)
    present = {f"d/{name}": data for name, data in bench.files("d").items() if ".ob-tmp-" not in name}
    assert present == files
    content = bench.save("d", HARD, COPY)
    assert content.n_files == 300
    assert bench.cache().has_all(content.id)
    check_cache(bench)
